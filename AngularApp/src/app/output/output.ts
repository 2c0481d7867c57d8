import { Component, computed, inject } from '@angular/core';
import { Runs } from '../run/runs';
import { Copy } from '../shared/copy';

/** Everything that was printed since the page was opened, as in the terminal. */
@Component({
  selector: 'lab-output',
  imports: [Copy],
  template: `
    <header class="head">
      <h2>Output</h2>
      @if (parts().length) {
        <lab-copy [text]="text" /><button type="button" class="quiet" (click)="clear()">Clear</button>
      }
    </header>
    @if (parts().length) {
      <pre
        class="block"
        tabindex="0"
        aria-label="Output of the backend"
      >@for (part of parts(); track $index) {<span class="tag">{{ part.title }}
</span>{{ part.text }}
}</pre>
    } @else {
      <p class="empty">What the code prints appears here, and in the backend’s terminal.</p>
    }
  `,
})
export class Output {
  private readonly output = inject(Runs).output;
  /** The lines, those of one request that follow each other together. */
  protected readonly parts = computed(() => {
    const parts: { request: number | null; lines: string[] }[] = [];
    for (const { request, line } of this.output()) {
      if (parts.at(-1)?.request !== request) parts.push({ request, lines: [] });
      parts.at(-1)!.lines.push(line);
    }
    return parts.map(({ request, lines }) => ({
      title: request === null ? 'outside a request' : `request ${request}`,
      text: lines.join('\n'),
    }));
  });
  protected readonly text = () =>
    this.output()
      .map(({ line }) => line)
      .join('\n');
  protected clear(): void {
    this.output.set([]);
  }
}
