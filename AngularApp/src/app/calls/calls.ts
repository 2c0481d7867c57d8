import { Component, computed, inject } from '@angular/core';
import { Call } from '../contract';
import { Runs } from '../run/runs';
import { Code } from '../shared/code';
import { bytes, count, duration, pretty } from '../shared/format';
import { Icon } from '../shared/icon';
import { Changes } from './changes';

/** What the code of the shown run did: the REST calls it made, in time, and what they changed. */
@Component({
  selector: 'lab-calls',
  imports: [Changes, Code, Icon],
  templateUrl: './calls.html',
})
export class Calls {
  protected readonly run = inject(Runs).shown;
  protected readonly bytes = bytes;
  protected readonly count = count;
  protected readonly duration = duration;
  protected readonly pretty = pretty;

  /** Calls with their places on the line of the run's time, in percent. */
  protected readonly calls = computed(() => {
    const calls = this.run()?.calls ?? [];
    const whole = Math.max(1, this.run()?.ms ?? 0, ...calls.map((call) => call.at_ms + call.ms));
    return calls.map((call) => ({
      ...call,
      pieces: call.path.split(/(?<=\/)/), // a long path is broken after a slash
      from: (100 * call.at_ms) / whole,
      width: Math.max(0.8, (100 * call.ms) / whole),
    }));
  });
  protected readonly spent = computed(() => this.calls().reduce((sum, call) => sum + call.ms, 0));

  protected language(part: unknown): string {
    return typeof part === 'string' ? 'text' : 'json';
  }

  /** The status as an API's reader knows it. */
  protected outcome({ status }: Call): string {
    return status < 400 ? 'worked' : 'refused';
  }
}
