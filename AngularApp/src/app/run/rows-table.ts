import { Component, ElementRef, afterNextRender, computed, effect, input, signal, untracked, viewChild } from '@angular/core';
import {
  CellKeyDownEvent,
  CellStyleModule,
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
  CellStyleModule,
  ClientSideRowModelModule,
  ColumnAutoSizeModule,
  LocaleModule,
  NumberFilterModule,
  QuickFilterModule,
  RowApiModule,
  TextFilterModule,
]);

const ROW = 32; // px

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
      <input
        type="search"
        data-filter
        placeholder="Filter rows"
        aria-label="Filter rows"
        [value]="filter()"
        (input)="filter.set($any($event.target).value)"
      />
      <span class="faint" role="status">{{ told() }}</span>
      <lab-copy label="Copy rows" [text]="tsv" />
    </div>
    <div #box class="grid-box ag-theme-quartz" [style.height.px]="height()"></div>
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

  /** A run's columns are often the last run's: then the grid stays and only its rows change. */
  private readonly names = computed(() => this.columns(), { equal: (one, other) => one.join('\n') === other.join('\n') });
  protected readonly height = computed(() => 52 + ROW * Math.min(12, Math.max(2, this.rows().length)));

  constructor() {
    const styled = signal(false);
    afterNextRender(() => void sheet().then(() => styled.set(true)));
    effect((onCleanup) => {
      if (!styled()) return;
      const grid = createGrid(this.box().nativeElement, this.options(this.names()));
      this.grid.set(grid);
      onCleanup(() => (this.grid.set(null), grid.destroy()));
    });
    effect(() => this.grid()?.setGridOption('rowData', this.rows()));
    effect(() => this.grid()?.setGridOption('quickFilterText', this.filter()));
  }

  private options(names: string[]): GridOptions<unknown[]> {
    const first = untracked(this.rows)[0];
    return {
      theme: 'legacy',
      columnDefs: names.map((name, index) => column(name, index, typeof first?.[index] === 'number')),
      ensureDomOrder: true,
      suppressColumnVirtualisation: true,
      enableCellTextSelection: true,
      rowHeight: ROW,
      headerHeight: 36,
      autoSizeStrategy: { type: 'fitCellContents', defaultMinWidth: 90, defaultMaxWidth: 480, scaleUpToFitGridWidth: true },
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

function column(headerName: string, index: number, numeric: boolean): ColDef<unknown[]> {
  return {
    headerName,
    colId: String(index),
    valueGetter: ({ data }) => plain(data?.[index]),
    filter: numeric ? 'agNumberColumnFilter' : 'agTextColumnFilter',
    type: numeric ? 'rightAligned' : undefined,
  };
}

/** A value that a cell can show, sort and filter. */
function plain(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? pretty(value) : value;
}

function copyCell({ event, value }: CellKeyDownEvent): void {
  const key = event as KeyboardEvent;
  if (key.key === 'c' && (key.ctrlKey || key.metaKey) && !getSelection()?.toString())
    void navigator.clipboard.writeText(String(value ?? ''));
}
