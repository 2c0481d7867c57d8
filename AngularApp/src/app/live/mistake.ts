import { Component, input } from '@angular/core';
import { Report } from '../contract';
import { CodeFrame } from '../shared/code-frame';
import { Icon } from '../shared/icon';

/** The file as saved can't be loaded: where, why, and what serves meanwhile. */
@Component({
  selector: 'lab-mistake',
  imports: [CodeFrame, Icon],
  template: `
    @let it = report();
    <section class="card bad" role="alert">
      <h2>
        <lab-icon name="warning" />{{ it.kind }}
        @if (it.line !== null) {
          <span class="faint"> {{ fileName() }}, line {{ it.line }}</span>
        }
      </h2>
      <p class="message">{{ it.message }}</p>
      @if (it.frame.length) {
        <lab-code-frame [frame]="it.frame" [marks]="it.marks" />
      }
      <p class="faint">
        @if (version() === null) {
          No version of the file could be loaded yet. Correct it and save.
        } @else {
          The last good code, version {{ version() }}, is still serving. This goes away with the next good save.
        }
      </p>
      <details>
        <summary>Traceback</summary>
        <pre class="block" tabindex="0">{{ it.traceback }}</pre>
      </details>
    </section>
  `,
})
export class Mistake {
  readonly report = input.required<Report>();
  readonly version = input.required<number | null>();
  protected fileName(): string {
    return this.report().file.replace(/^.*[\\/]/, '');
  }
}
