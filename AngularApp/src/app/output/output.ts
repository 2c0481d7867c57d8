import { Component, computed, inject } from '@angular/core';
import { Runs } from '../run/runs';
import { Copy } from '../shared/copy';

/** Everything that was printed since the page was opened, as in the terminal. */
@Component({
  selector: 'lab-output',
  imports: [Copy],
  template: `
    <header class="head"><h2>Output</h2>
      @if (lines().length) {
        <lab-copy [text]="text" /><button type="button" class="quiet" (click)="clear()">Clear</button>
      }
    </header>
    @if (lines().length) {
      <pre class="block" tabindex="0" aria-label="Output of the backend">@for (line of lines(); track $index) {@if (line.first) {<span class="tag">{{ line.request === null ? 'outside a request' : 'request ' + line.request }}
</span>}{{ line.line }}
}</pre>
    } @else {
      <p class="empty">What the code prints appears here, and in the backend’s terminal.</p>
    }
  `,
})
export class Output {
  private readonly output = inject(Runs).output;
  protected readonly lines = computed(() =>
    this.output().map((line, index, all) => ({ ...line, first: index === 0 || all[index - 1].request !== line.request })),
  );
  protected readonly text = () => this.output().map(({ line }) => line).join('\n');
  protected clear(): void {
    this.output.set([]);
  }
}
