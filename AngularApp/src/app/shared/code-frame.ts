import { Component, computed, input } from '@angular/core';
import { FrameLine } from '../contract';
import { tokens } from './highlight';

/** A few lines of code about a fault, the fault's own line marked. */
@Component({
  selector: 'lab-code-frame',
  template: `
    <pre
      class="frame"
      tabindex="0"
      aria-label="The lines about the mistake"
    >@for (line of lines(); track line.number) {<code [class.current]="line.current"
      ><span class="gutter">{{ line.current ? '▸' : ' ' }}{{ line.number.toString().padStart(4) }} </span
      >@for (token of line.tokens; track $index) {<span [class]="token.kind">{{ token.text }}</span>}
</code>@if (line.current && marks(); as marks) {<code class="marks" aria-hidden="true">{{ ' '.repeat(5 + marks[0]) + '^'.repeat(marks[1] - marks[0]) }}
</code>}}</pre>
  `,
})
export class CodeFrame {
  readonly frame = input.required<FrameLine[]>();
  readonly marks = input<[number, number] | null>(null);
  protected readonly lines = computed(() => this.frame().map((line) => ({ ...line, tokens: tokens(line.text, 'python') })));
}
