import { Component, computed, input } from '@angular/core';

/** Text in which `...` is code. */
@Component({
  selector: 'lab-prose',
  template: `@for (part of parts(); track $index) {
    @if ($odd) {
      <code>{{ part }}</code>
    } @else {
      <span>{{ part }}</span>
    }
  }`,
})
export class Prose {
  readonly text = input.required<string>();
  protected readonly parts = computed(() => this.text().split('`'));
}
