import { Component, computed, input } from '@angular/core';
import { Change } from '../contract';
import { Code } from '../shared/code';
import { pretty } from '../shared/format';
import { Icon, IconName } from '../shared/icon';

/** What a run changed, before and after. */
@Component({
  selector: 'lab-changes',
  imports: [Code, Icon],
  template: `
    <section class="changes">
      <h2>What changed</h2>
      <ul>
        @for (change of read(); track $index) {
          <li>
            <p>
              <lab-icon [name]="change.icon" /><span class="path">{{ change.resource }}</span> <strong>{{ change.what }}</strong>
            </p>
            @if (change.short) {
              <p class="values">
                <del>{{ change.before }}</del
                ><span aria-hidden="true">→</span><ins>{{ change.after }}</ins>
              </p>
            } @else if (change.shown) {
              <details>
                <summary>Before and after</summary>
                <div class="pair">
                  <div>
                    <h3>Before</h3>
                    <pre class="block" tabindex="0"><lab-code [code]="change.before" language="json" /></pre>
                  </div>
                  <div>
                    <h3>After</h3>
                    <pre class="block" tabindex="0"><lab-code [code]="change.after" language="json" /></pre>
                  </div>
                </div>
              </details>
            }
          </li>
        }
      </ul>
    </section>
  `,
})
export class Changes {
  readonly changes = input.required<Change[]>();
  protected readonly read = computed(() =>
    this.changes().map(({ resource, what, before, after }) => {
      const words = [before, after].map((value) => (value === null || value === undefined || value === '' ? 'none' : pretty(value)));
      const whole = what === 'created' || what === 'deleted';
      const short = !whole && words.every((word) => word.length < 120 && !word.includes('\n'));
      return { resource, what, icon: ICONS[what] ?? 'again', before: words[0], after: words[1], short, shown: !whole };
    }),
  );
}

const ICONS: Record<string, IconName> = { created: 'plus', deleted: 'cross' };
