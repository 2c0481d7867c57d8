import {
  Component,
  DestroyRef,
  ElementRef,
  afterNextRender,
  computed,
  effect,
  inject,
  input,
  linkedSignal,
  signal,
  viewChild,
} from '@angular/core';
import { BarChart } from 'echarts/charts';
import { DataZoomComponent, GridComponent, TooltipComponent } from 'echarts/components';
import { EChartsCoreOption, EChartsType, init, use } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import { Theme } from '../theme';
import { View } from './answer';

use([BarChart, CanvasRenderer, DataZoomComponent, GridComponent, TooltipComponent]);

const MOST = 200; // bars; more can't be told apart
const FEW = 24;

/** A numeric column as bars, with the same numbers in a table. */
@Component({
  selector: 'lab-plot',
  template: `
    <div class="tools">
      <label
        >Height
        <select [value]="value()" (change)="value.set(+$any($event.target).value)">
          @for (column of view().numeric; track column) {
            <option [value]="column">{{ view().columns[column] }}</option>
          }
        </select></label
      >
      <label
        >Label
        <select [value]="label()" (change)="label.set(+$any($event.target).value)">
          @for (column of view().columns; track $index) {
            <option [value]="$index">{{ column }}</option>
          }
        </select></label
      >
      @if (view().rows.length > most) {
        <span class="faint">The first {{ most }} rows</span>
      }
    </div>
    <div
      #box
      class="grid-box"
      role="img"
      [attr.aria-label]="view().columns[value()] + ' by ' + view().columns[label()] + '; the numbers are in the table below'"
    ></div>
    <details>
      <summary>The numbers</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="The numbers">
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">{{ view().columns[label()] }}</th>
              <th scope="col" class="number">{{ view().columns[value()] }}</th>
            </tr>
          </thead>
          <tbody>
            @for (bar of bars(); track $index) {
              <tr>
                <td>{{ bar.label }}</td>
                <td class="number">{{ bar.value?.toLocaleString('en') }}</td>
              </tr>
            }
          </tbody>
        </table>
      </div>
    </details>
  `,
})
export class Plot {
  readonly view = input.required<View & { kind: 'rows' }>();
  protected readonly most = MOST;
  protected readonly value = linkedSignal(() => this.view().numeric[0]);
  protected readonly label = linkedSignal(() => {
    const { columns, numeric } = this.view();
    return Math.max(
      0,
      columns.findIndex((_, index) => !numeric.includes(index)),
    );
  });
  private readonly box = viewChild.required<ElementRef<HTMLElement>>('box');
  private readonly theme = inject(Theme);
  private readonly chart = signal<EChartsType | null>(null);

  protected readonly bars = computed(() =>
    this.view()
      .rows.slice(0, MOST)
      .map((row) => ({ label: String(row[this.label()] ?? ''), value: row[this.value()] as number | null })),
  );

  constructor() {
    const destroyed = inject(DestroyRef);
    afterNextRender(() => {
      const box = this.box().nativeElement;
      // ECharts empties its element through innerHTML, which Trusted Types refuse; this does the same without text.
      Object.defineProperty(box, 'innerHTML', { set: () => box.replaceChildren() });
      const chart = init(box);
      const resized = new ResizeObserver(() => chart.resize());
      resized.observe(box);
      destroyed.onDestroy(() => (resized.disconnect(), chart.dispose()));
      this.chart.set(chart);
    });
    effect(() => this.chart()?.setOption(this.option(), true));
  }

  private option(): EChartsCoreOption {
    this.theme.dark(); // colours are read again when the theme changes
    const box = this.box().nativeElement;
    const [ink, faint, line, paper, accent] = ['--ink', '--faint', '--line', '--paper', '--accent'].map((token) => colour(box, token));
    const bars = this.bars();
    const text = { color: faint, fontFamily: getComputedStyle(box).fontFamily };
    const labels = {
      type: 'category',
      data: bars.map((bar) => bar.label),
      axisTick: { show: false },
      axisLine: { lineStyle: { color: line } },
      axisLabel: { ...text, width: 160, overflow: 'truncate', formatter: short },
    };
    const values = { type: 'value', axisLabel: { ...text, hideOverlap: true }, splitLine: { lineStyle: { color: line } } };
    // Words are read from left to right: few bars lie, many stand.
    const lying = bars.length <= FEW;
    return {
      animation: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      animationDuration: 250,
      grid: { left: 8, right: 24, top: 16, bottom: lying ? 8 : 44, containLabel: true },
      tooltip: { trigger: 'axis', renderMode: 'richText', backgroundColor: paper, borderColor: line, textStyle: { ...text, color: ink } },
      dataZoom: lying ? [] : [{ type: 'slider', height: 20, bottom: 8, textStyle: text }],
      xAxis: lying ? values : labels,
      yAxis: lying ? { ...labels, inverse: true } : values,
      series: [
        {
          type: 'bar',
          name: this.view().columns[this.value()],
          data: bars.map((bar) => bar.value),
          barMaxWidth: 28,
          itemStyle: { color: accent, borderRadius: lying ? [0, 3, 3, 0] : [3, 3, 0, 0] },
        },
      ],
    };
  }
}

/** A token's colour as the canvas understands it: computed, without light-dark() and var(). */
function colour(box: HTMLElement, token: string): string {
  box.style.color = `var(${token})`;
  const computed = getComputedStyle(box).color;
  box.style.color = '';
  return computed;
}

/** Of an address, the part that tells it from its neighbours. */
function short(label: string): string {
  return label.replace(/^https?:\/\/[^/]+\//, '…/');
}
