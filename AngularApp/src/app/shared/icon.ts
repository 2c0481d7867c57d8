import { Component, computed, input } from '@angular/core';

/** Paths on a 16 by 16 grid, drawn as lines. */
const PATHS = {
  check: 'M3 8.5 6.5 12 13 4.5',
  cross: 'm4 4 8 8m0-8-8 8',
  warning: 'M8 2 14.5 13.5h-13ZM8 6.5v3.2m0 2v.1',
  stop: 'M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8ZM8 5v3.6m0 2.3v.1',
  play: 'M4.5 3v10l8-5Z',
  eye: 'M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8Zm4.7 0a1.8 1.8 0 1 0 3.6 0 1.8 1.8 0 1 0-3.6 0',
  spin: 'M8 2a6 6 0 1 1-6 6',
  plug: 'M5.5 2v3.5m5-3.5v3.5M3.5 5.5h9V8a4.5 4.5 0 0 1-9 0Zm4.5 7V15',
  copy: 'M5.5 5.5h8v8h-8ZM10.5 5.5v-3h-8v8h3',
  plus: 'M8 3v10M3 8h10',
  chevron: 'm6 3.5 4.5 4.5L6 12.5',
  back: 'M10 3.5 5.5 8l4.5 4.5',
  globe: 'M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8ZM2 8h12M8 1.8c3.6 4 3.6 8.4 0 12.4-3.6-4-3.6-8.4 0-12.4Z',
  clock: 'M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8ZM8 4.5V8l2.5 1.5',
  sun: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM8 1v1.5m0 11V15M1 8h1.5m11 0H15M3 3l1.1 1.1m7.8 7.8L13 13M3 13l1.1-1.1m7.8-7.8L13 3',
  moon: 'M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7Z',
  half: 'M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8Zm0 0v12.4m2-11.8v11.2m2-9.6v8',
  help: 'M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8ZM6.2 6.2A1.8 1.8 0 1 1 8 8v1m0 2.3v.1',
  table: 'M2 3h12v10H2ZM2 6.5h12M6.5 6.5V13',
  dataset: 'M2.5 4C2.5 1.5 13.5 1.5 13.5 4v8c0 2.5-11 2.5-11 0ZM2.5 4c0 2.5 11 2.5 11 0m-11 4c0 2.5 11 2.5 11 0',
  bucket: 'M2.5 3.5h11l-1.5 10H4Z',
  file: 'M4 1.8h5l3.5 3.5v9H4ZM9 1.8v3.5h3.5',
  again: 'M13 8a5 5 0 1 1-1.5-3.5M13 2v3h-3',
} as const;

export type IconName = keyof typeof PATHS;

/** A picture beside words that say the same. */
@Component({
  selector: 'lab-icon',
  template: `<svg viewBox="0 0 16 16" aria-hidden="true"><path [attr.d]="path()" /></svg>`,
  host: { '[class.spin]': 'name() === "spin"' },
})
export class Icon {
  readonly name = input.required<IconName>();
  protected readonly path = computed(() => PATHS[this.name()]);
}
