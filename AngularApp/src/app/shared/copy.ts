import { Component, input, signal } from '@angular/core';
import { Icon } from './icon';

/** A button that copies a text to the clipboard and says so. */
@Component({
  selector: 'lab-copy',
  imports: [Icon],
  template: `
    <button type="button" class="quiet" (click)="copy()">
      <lab-icon [name]="told() === 'Copied' ? 'check' : 'copy'" /><span aria-live="polite">{{ told() ?? label() }}</span>
    </button>
  `,
})
export class Copy {
  readonly text = input.required<string | (() => string)>();
  readonly label = input('Copy');
  protected readonly told = signal<string | null>(null);

  protected async copy(): Promise<void> {
    const text = this.text();
    try {
      await navigator.clipboard.writeText(typeof text === 'string' ? text : text());
      this.told.set('Copied');
    } catch {
      this.told.set('Not allowed here'); // by the browser: without focus, or at an address other than this machine's
    }
    setTimeout(() => this.told.set(null), 2000);
  }
}
