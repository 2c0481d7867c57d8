import { Component, computed, effect, inject, linkedSignal, signal, untracked } from '@angular/core';
import { Catalog as Contents } from '../contract';
import { LabApi, sentence } from '../lab-api';
import { LiveStore } from '../live/live-store';
import { Runs } from '../run/runs';
import { bytes, count } from '../shared/format';
import { Icon } from '../shared/icon';
import { TableView } from './table-view';

/** Everything there is: projects, datasets, tables, buckets and their files. Reads itself again after every run. */
@Component({
  selector: 'lab-catalog',
  imports: [Icon, TableView],
  templateUrl: './catalog.html',
})
export class Catalog {
  private readonly live = inject(LiveStore);
  private readonly ended = inject(Runs).ended;
  protected readonly catalog = inject(LabApi).catalog();
  protected readonly bytes = bytes;
  protected readonly count = count;
  protected readonly sentence = sentence;

  protected readonly filter = signal('');
  protected readonly table = signal<string | null>(null);
  /** What was read last stays in sight while it is read again. */
  private readonly contents = linkedSignal<Contents | undefined, Contents | undefined>({
    source: () => (this.catalog.hasValue() ? this.catalog.value() : undefined),
    computation: (read, previous) => read ?? previous?.value,
  });
  protected readonly shown = computed(() => filtered(this.contents(), this.filter().trim().toLowerCase()));

  constructor() {
    effect(() => {
      this.ended();
      const { link, engine } = this.live.lab();
      if (link === 'up' && engine !== 'down') untracked(() => this.catalog.reload());
    });
  }
}

/** What has the text in its name; a project, dataset or bucket that has it is shown whole. */
export function filtered(contents: Contents | undefined, text: string): Contents | undefined {
  if (!contents || !text) return contents;
  const has = (name: string) => name.toLowerCase().includes(text);
  const projects = contents.projects.map((project) => ({
    ...project,
    datasets: project.datasets
      .map((dataset) => (has(dataset.dataset) ? dataset : { ...dataset, tables: dataset.tables.filter(({ table }) => has(table)) }))
      .filter(({ dataset, tables }) => has(dataset) || tables.length),
  }));
  const buckets = contents.buckets
    .map((bucket) => (has(bucket.bucket) ? bucket : { ...bucket, files: bucket.files.filter(({ name }) => has(name)) }))
    .filter(({ bucket, files }) => has(bucket) || files.length);
  return { projects: projects.filter(({ datasets }) => datasets.length), buckets };
}
