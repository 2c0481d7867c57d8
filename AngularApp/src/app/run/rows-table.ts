import { Component, DestroyRef, ElementRef, afterNextRender, computed, effect, inject, input, signal, viewChild } from '@angular/core';
import {
  CellKeyDownEvent,
  ClientSideRowModelModule,
  ColDef,
  ColumnAutoSizeModule,
  GridApi,
  GridOptions,
  LocaleModule,
  ModuleRegistry,
  NumberFilterModule,
  QuickFilterModule,
  RowApiModule,
  TextFilterModule,
  createGrid,
} from 'ag-grid-community';
import { Copy } from '../shared/copy';
import { count, pretty } from '../shared/format';

ModuleRegistry.registerModules([
  ClientSideRowModelModule, ColumnAutoSizeModule, LocaleModule, NumberFilterModule, QuickFilterModule, RowApiModule, TextFilterModule,
]);

/** Load the grid's style sheet, once. */
const sheet = (): Promise<void> =>
  (loaded ??= new Promise((resolve) => {
    const link = document.createElement('link');
    link.rel = 'stylesheet';
    link.href = 'grid.css';
    link.onload = link.onerror = () => resolve();
    document.head.append(link);
  }));
let loaded: Promise<void> | undefined;

/** Rows in a grid: sort, filter, resize, copy; a hundred thousand of them without effort. */
@Component({
  selector: 'lab-rows-table',
  imports: [Copy],
  template: `
    <div class="tools">
      <input type="search" data-filter placeholder="Filter rows" aria-label="Filter rows" [value]="filter()" (input)="filter.set($any($event.target).value)" />
      <span class="faint" role="status">{{ told() }}</span>
      <lab-copy label="Copy rows" [text]="tsv" />
    </div>
    <div #box class="grid-box ag-theme-quartz"></div>
  `,
})
export class RowsTable {
  readonly columns = input.required<string[]>();
  readonly rows = input.required<unknown[][]>();
  protected readonly filter = signal('');
  private readonly shownRows = signal(0);
  private readonly box = viewChild.required<ElementRef<HTMLElement>>('box');
  private readonly grid = signal<GridApi<unknown[]> | null>(null);

  protected readonly told = computed(() => {
    const [shown, all] = [this.shownRows(), this.rows().length];
    return shown === all ? count(all, 'row') : `${shown.toLocaleString('en')} of ${count(all, 'row')}`;
  });

  constructor() {
    const destroyed = inject(DestroyRef);
    afterNextRender(async () => {
      await sheet();
      if (!destroyed.destroyed) this.grid.set(createGrid(this.box().nativeElement, this.options()));
    });
    effect(() => this.grid()?.updateGridOptions({ columnDefs: this.definitions(), rowData: this.rows() }));
    effect(() => this.grid()?.setGridOption('quickFilterText', this.filter()));
    destroyed.onDestroy(() => this.grid()?.destroy());
  }

  private readonly definitions = computed(() =>
    this.columns().map((headerName, index): ColDef<unknown[]> => {
      const numeric = typeof this.rows()[0]?.[index] === 'number';
      return {
        headerName,
        colId: String(index),
        valueGetter: ({ data }) => plain(data?.[index]),
        filter: numeric ? 'agNumberColumnFilter' : 'agTextColumnFilter',
        type: numeric ? 'rightAligned' : undefined,
        minWidth: 90,
      };
    }),
  );

  private options(): GridOptions<unknown[]> {
    return {
      theme: 'legacy',
      ensureDomOrder: true,
      suppressColumnVirtualisation: true,
      enableCellTextSelection: true,
      rowHeight: 32,
      headerHeight: 36,
      domLayout: this.rows().length <= 12 ? 'autoHeight' : 'normal',
      autoSizeStrategy: { type: 'fitGridWidth', defaultMinWidth: 110 },
      onModelUpdated: ({ api }) => this.shownRows.set(api.getDisplayedRowCount()),
      onCellKeyDown: (event) => copyCell(event as CellKeyDownEvent),
    };
  }

  /** The rows as they are filtered and sorted now, for a spreadsheet. */
  protected readonly tsv = (): string => {
    const lines = [this.columns()];
    this.grid()?.forEachNodeAfterFilterAndSort(({ data }) => lines.push(data!.map((value) => String(plain(value) ?? ''))));
    return lines.map((cells) => cells.map((cell) => cell.replace(/[\t\n\r]+/g, ' ')).join('\t')).join('\n');
  };
}

/** A value that a cell can show, sort and filter. */
function plain(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? pretty(value) : value;
}

function copyCell({ event, value }: CellKeyDownEvent): void {
  const key = event as KeyboardEvent;
  if (key.key === 'c' && (key.ctrlKey || key.metaKey) && !getSelection()?.toString()) void navigator.clipboard.writeText(String(value ?? ''));
}
