import { Component, input, signal } from '@angular/core';
import { Icon } from './icon';

/** A button that copies a text to the clipboard and says so. */
@Component({
  selector: 'lab-copy',
  imports: [Icon],
  template: `
    <button type="button" class="quiet" (click)="copy()">
      <lab-icon [name]="copied() ? 'check' : 'copy'" /><span aria-live="polite">{{ copied() ? 'Copied' : label() }}</span>
    </button>
  `,
})
export class Copy {
  readonly text = input.required<string | (() => string)>();
  readonly label = input('Copy');
  protected readonly copied = signal(false);

  protected async copy(): Promise<void> {
    const text = this.text();
    await navigator.clipboard.writeText(typeof text === 'string' ? text : text());
    this.copied.set(true);
    setTimeout(() => this.copied.set(false), 2000);
  }
}
