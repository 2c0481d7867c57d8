import { Component, computed, inject, resource } from '@angular/core';
import { LabApi } from '../lab-api';
import { LiveStore } from '../live/live-store';
import { Code } from '../shared/code';
import { bytes, money } from '../shared/format';
import { FormStore } from './form-store';
import { mayHoldSql } from './operations';

/** What the SQL of the active operation would read and cost, asked by dry run before it runs. */
@Component({
  selector: 'lab-price',
  imports: [Code],
  template: `
    @for (statement of statements(); track $index) {
      <details class="price">
        <summary>
          @if (statement.error) {
            <span>The SQL is refused: {{ statement.error }}</span>
          } @else {
            <span
              ><strong>{{ bytes(statement.bytes ?? 0) }}</strong> to read, <strong>{{ money(statement.price_usd ?? 0) }}</strong>
              {{ statement.billed === 'real' ? 'will be billed' : 'would be billed' }}</span
            >
          }
        </summary>
        <pre class="block" tabindex="0"><lab-code [code]="statement.sql" language="sql" /></pre>
      </details>
    }
  `,
})
export class Price {
  private readonly api = inject(LabApi);
  private readonly lab = inject(LiveStore).lab;
  private readonly form = inject(FormStore);
  protected readonly bytes = bytes;
  protected readonly money = money;

  private readonly priced = resource({
    params: () => {
      const { operation, hash, engine, link } = this.lab();
      const ready = link === 'up' && (engine === 'up' || engine === 'cloud');
      return ready && operation !== null && mayHoldSql(operation) ? { hash, data: this.form.data() } : undefined;
    },
    loader: ({ params }) => this.api.price(params.data).catch(() => ({ statements: [] })),
  });
  protected readonly statements = computed(() => (this.priced.hasValue() ? this.priced.value().statements : []));
}
