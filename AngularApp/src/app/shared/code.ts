import { Component, computed, input } from '@angular/core';
import { tokens } from './highlight';

const LONGEST = 20_000; // characters that are coloured: every token is an element

/** Code with colours, as text. */
@Component({
  selector: 'lab-code',
  template: `@for (token of tokens(); track $index) {
    <span [class]="token.kind">{{ token.text }}</span>
  }`,
})
export class Code {
  readonly code = input.required<string>();
  readonly language = input('text');
  protected readonly tokens = computed(() => tokens(this.code(), this.code().length > LONGEST ? 'text' : this.language()));
}
