import { Component, ElementRef, viewChild } from '@angular/core';

const KEYS = [
  ['Enter', 'in the form: submit'],
  ['Ctrl Enter', 'submit from anywhere (⌘ Enter on a Mac)'],
  ['Esc', 'cancel the run'],
  ['Alt 1', 'the form'],
  ['Alt 2', 'API calls and changes'],
  ['Alt 3', 'output'],
  ['Alt 4', 'history'],
  ['Alt 5', 'catalog'],
  ['Alt 6', 'guide'],
  ['/', 'filter what is in sight'],
  ['?', 'this help'],
].map(([keys, what]) => ({ keys: keys.split(' '), what }));

/** How the lab works in three sentences, and the keys. */
@Component({
  selector: 'lab-help',
  template: `
    <dialog #dialog class="help" aria-labelledby="help-title">
      <h2 id="help-title">How this works</h2>
      <p>
        Edit <code>tables.py</code> in your editor and save: the new code is live at once. The form here is that of the operation that is on
        in <code>env</code>. Submit runs it, and the answer, the output and every call to BigQuery appear on this page.
      </p>
      <h3>Keys</h3>
      <dl class="keys">
        @for (key of keys; track key.what) {
          <div>
            <dt>
              @for (name of key.keys; track name) {
                <kbd>{{ name }}</kbd>
              }
            </dt>
            <dd>{{ key.what }}</dd>
          </div>
        }
      </dl>
      <button type="button" class="primary" (click)="dialog.close()">Close</button>
    </dialog>
  `,
})
export class Help {
  protected readonly keys = KEYS;
  private readonly dialog = viewChild.required<ElementRef<HTMLDialogElement>>('dialog');

  open(): void {
    this.dialog().nativeElement.showModal();
  }
}
