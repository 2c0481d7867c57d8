import { Component, computed, inject } from '@angular/core';
import { Run, Runs } from '../run/runs';
import { clock, duration } from '../shared/format';
import { Icon, IconName } from '../shared/icon';
import { Tabs } from '../tabs';

const ICONS: Record<Run['status'], IconName> = { running: 'spin', done: 'check', failed: 'stop', cancelled: 'cross' };

/** The runs so far, newest first; choosing one shows its result again. */
@Component({
  selector: 'lab-history',
  imports: [Icon],
  template: `
    <h2>History</h2>
    @if (rows().length) {
      <ul class="rows">
        @for (run of rows(); track run.key) {
          <li>
            <button type="button" [attr.aria-pressed]="run === runs.shown()" (click)="choose(run)">
              <span class="mark {{ run.status }}"
                ><lab-icon [name]="icons[run.status]" /><span class="sr">{{ run.status }}</span></span
              >
              <strong>{{ run.operation ?? 'no operation' }}</strong>
              <span class="what">{{ run.data.tableName || run.data.browse }}</span>
              <span class="facts">
                <span>version {{ run.version ?? '?' }}</span>
                <span>{{ run.ms === null ? '' : duration(run.ms) }}</span>
                <span>{{ clock(run.began) }}</span>
              </span>
            </button>
          </li>
        }
      </ul>
    } @else {
      <p class="empty">The last fifty runs are kept here, to go back to.</p>
    }
  `,
})
export class History {
  protected readonly runs = inject(Runs);
  private readonly tabs = inject(Tabs);
  protected readonly icons = ICONS;
  protected readonly clock = clock;
  protected readonly duration = duration;
  protected readonly rows = computed(() => [...this.runs.history()].reverse());

  protected choose(run: Run): void {
    this.runs.choose(run);
    this.tabs.show('run');
  }
}
