import { Component, computed, effect, inject } from '@angular/core';
import { Changed } from '../contract';
import { duration } from '../shared/format';
import { Icon, IconName } from '../shared/icon';
import { LiveStore } from './live-store';

interface Words {
  icon: IconName;
  tone: 'calm' | 'good' | 'busy' | 'bad';
  text: string;
  more: string;
}

const MOST = 4; // names of a kind that are told

/** One line, always in sight: what the lab is doing with your file. */
@Component({
  selector: 'lab-live-bar',
  imports: [Icon],
  template: `
    <p class="state {{ words().tone }}" role="status">
      <lab-icon [name]="words().icon" /><strong>{{ words().text }}</strong>
      @if (words().more) {
        <span class="more">{{ words().more }}</span>
      }
    </p>
    @if (lab().link === 'down') {
      <button type="button" class="quiet" (click)="live.retry()">Try now</button>
    }
    <p class="where">
      <span class="chip" [class.cloud]="lab().cloud">{{ lab().cloud ? 'Real BigQuery' : 'Embedded BigQuery' }}</span>
      @if (lab().project) {
        <span class="project">{{ lab().project }}</span>
      }
    </p>
  `,
})
export class LiveBar {
  protected readonly live = inject(LiveStore);
  protected readonly lab = this.live.lab;

  protected readonly words = computed<Words>(() => {
    const { link, engine, file, save, broken, version, operation } = this.lab();
    const serving = version === null ? 'Nothing serves yet' : `Version ${version} is still serving`;
    if (link === 'connecting') return { icon: 'spin', tone: 'busy', text: 'Connecting', more: '' };
    if (link === 'down') return { icon: 'plug', tone: 'bad', text: 'Backend down', more: 'Trying again by itself; the form is kept' };
    if (save.state === 'reloading') return { icon: 'spin', tone: 'busy', text: 'Saved, reloading', more: file };
    if (broken) {
      const line = broken.line === null ? '' : ` in line ${broken.line}`;
      return { icon: 'warning', tone: 'bad', text: `Mistake${line}`, more: serving };
    }
    if (engine === 'starting') return { icon: 'spin', tone: 'busy', text: 'BigQuery is starting', more: '' };
    if (engine === 'down') return { icon: 'spin', tone: 'bad', text: 'BigQuery is down', more: 'It is being started again' };
    if (save.state === 'reloaded') {
      return {
        icon: 'check',
        tone: 'good',
        text: `Reloaded in ${duration(save.ms)}`,
        more: save.turned ? `${operation ?? 'No operation'} is on now. ${told(save.changed)}` : told(save.changed),
      };
    }
    return { icon: 'eye', tone: 'calm', text: `Watching ${file}`, more: version === null ? '' : `Version ${version}` };
  });

  constructor() {
    // What is wrong is seen in the browser's tab, too.
    const name = document.title;
    effect(() => (document.title = this.words().tone === 'bad' ? `${this.words().text} – ${name}` : name));
  }
}

/** What a save changed, in a few words. */
export function told({ added = [], changed = [], removed = [] }: Partial<Changed>): string {
  const parts = [
    ['Changed', changed],
    ['added', added],
    ['removed', removed],
  ] as const;
  const text = parts.filter(([, names]) => names.length).map(([verb, names]) => `${verb} ${listed(names.map(short))}`);
  return text.length ? text.join('; ').replace(/^./, (first) => first.toUpperCase()) : 'Nothing that runs was changed';
}

function listed(names: string[]): string {
  return names.length <= MOST ? names.join(', ') : `${names.slice(0, MOST - 1).join(', ')} and ${names.length - MOST + 1} more`;
}

function short(name: string): string {
  return name.replace(/^my_bigquery_client\./, '');
}
