import { Component, computed, effect, inject, input, linkedSignal, output, untracked } from '@angular/core';
import { KeyValuePipe } from '@angular/common';
import { SchemaField, TableDetail } from '../contract';
import { LabApi, sentence } from '../lab-api';
import { Policy } from '../run/policy';
import { Runs } from '../run/runs';
import { clock, pretty } from '../shared/format';
import { Icon } from '../shared/icon';

/** One table: schema, details, preview, policy, and the moments that one can travel back to. */
@Component({
  selector: 'lab-table-view',
  imports: [Icon, KeyValuePipe, Policy],
  templateUrl: './table-view.html',
})
export class TableView {
  readonly name = input.required<string>();
  readonly closed = output();
  private readonly ended = inject(Runs).ended;
  protected readonly at = linkedSignal<string, number | null>({ source: this.name, computation: () => null });
  protected readonly table = inject(LabApi).table(this.name, this.at);
  protected readonly sentence = sentence;
  protected readonly clock = clock;
  protected readonly asIs = () => 0;
  /** What was read last stays in sight while it is read again. */
  protected readonly shown = linkedSignal<TableDetail | undefined, TableDetail | undefined>({
    source: () => (this.table.hasValue() ? this.table.value() : undefined),
    computation: (read, previous) => read ?? previous?.value,
  });
  protected readonly parts = computed(() => this.name().split('.'));
  protected readonly schema = computed(() => flat(this.shown()?.schema ?? []));
  protected readonly cells = computed(() =>
    (this.shown()?.preview?.rows ?? []).map((row) => row.map((value) => (value === null ? null : pretty(value)))),
  );

  constructor() {
    effect(() => {
      if (this.ended()) untracked(() => this.table.reload());
    });
  }
}

/** Nested fields after their parents, with their depth. */
function flat(fields: SchemaField[], depth = 0): (SchemaField & { depth: number })[] {
  return fields.flatMap((field) => [{ ...field, depth }, ...flat(field.fields ?? [], depth + 1)]);
}
