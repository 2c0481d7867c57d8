import { ApplicationRef, Component, ElementRef, afterNextRender, computed, inject, viewChild } from '@angular/core';
import { Calls } from './calls/calls';
import { Catalog } from './catalog/catalog';
import { Guide } from './guide/guide';
import { Help } from './help';
import { History } from './history/history';
import { LiveBar } from './live/live-bar';
import { LiveStore } from './live/live-store';
import { Mistake } from './live/mistake';
import { Output } from './output/output';
import { OperationForm } from './run/operation-form';
import { Result } from './run/result';
import { Runs } from './run/runs';
import { Icon } from './shared/icon';
import { TABS, Tab, TabList, Tabs } from './tabs';
import { Theme } from './theme';

const NAMES = ['Learn and look', 'Run', 'What it did'];
const THEME_ICONS = { auto: 'half', light: 'sun', dark: 'moon' } as const;

/** The whole page: the live bar above, the panels below in one column or three, and the keys that work everywhere. */
@Component({
  selector: 'lab-page',
  imports: [Calls, Catalog, Guide, Help, History, Icon, LiveBar, Mistake, OperationForm, Output, Result, TabList],
  templateUrl: './page.html',
  host: { '(document:keydown)': 'press($event)' },
})
export class Page {
  protected readonly lab = inject(LiveStore).lab;
  protected readonly tabs = inject(Tabs);
  protected readonly theme = inject(Theme);
  private readonly application = inject(ApplicationRef);
  private readonly runs = inject(Runs);
  private readonly host = inject<ElementRef<HTMLElement>>(ElementRef).nativeElement;
  private readonly form = viewChild(OperationForm);
  private readonly help = viewChild.required(Help);
  protected readonly themeIcon = computed(() => THEME_ICONS[this.theme.choice()]);
  protected readonly names = computed(() => (this.tabs.wide() ? NAMES : ['Panels']));

  constructor() {
    // The grid and the plot are wanted only with rows; they are fetched when nothing else is to be done, one after the other.
    afterNextRender(async () => {
      try {
        await idle().then(() => import('./run/rows-table'));
        await idle().then(() => import('./run/plot'));
      } catch {
        // The backend went away; they are asked for again when they are wanted.
      }
    });
  }

  protected press(event: KeyboardEvent): void {
    if (event.defaultPrevented || this.host.querySelector('dialog[open]')) return;
    const control = event.ctrlKey || event.metaKey;
    if (event.key === 'Enter' && control) this.submit();
    else if (event.key === 'Escape' && this.runs.running()) void this.runs.cancel();
    else if (event.altKey && !control && /^Digit[1-6]$/.test(event.code)) this.go(TABS[Number(event.code[5]) - 1].id);
    else if (event.key === '/' && !control && !isTyping(event.target))
      this.host.querySelector<HTMLElement>('[role=tabpanel]:not([hidden]) [data-filter]')?.focus();
    else if (event.key === '?' && !control && !isTyping(event.target)) this.help().open();
    else return;
    event.preventDefault();
  }

  private submit(): void {
    this.show('run');
    this.form()?.submit();
  }

  private go(tab: Tab): void {
    this.show(tab);
    if (tab === 'run') this.form()?.focus();
    else this.host.querySelector<HTMLElement>(`#tab-${tab}`)?.focus();
  }

  /** Open a tab, drawn when this returns, so that the next key goes where it should. */
  private show(tab: Tab): void {
    this.tabs.show(tab);
    this.application.tick();
  }
}

function idle(): Promise<unknown> {
  return new Promise((resolve) => ('requestIdleCallback' in window ? requestIdleCallback(resolve) : setTimeout(resolve, 500)));
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && !!target.closest('input:not([type=radio], [type=checkbox]), select, textarea, [contenteditable]');
}
