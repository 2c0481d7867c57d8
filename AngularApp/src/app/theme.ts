import { Injectable, computed, effect, signal } from '@angular/core';

const KEY = 'lab-theme';
const CHOICES = ['auto', 'light', 'dark'] as const;
export type Choice = (typeof CHOICES)[number];

/** Light or dark: as the system says, or as chosen here. */
@Injectable({ providedIn: 'root' })
export class Theme {
  private readonly system = matchMedia('(prefers-color-scheme: dark)');
  private readonly systemDark = signal(this.system.matches);
  readonly choice = signal<Choice>(CHOICES.find((choice) => choice === localStorage.getItem(KEY)) ?? 'auto');
  readonly dark = computed(() => (this.choice() === 'auto' ? this.systemDark() : this.choice() === 'dark'));

  constructor() {
    this.system.addEventListener('change', ({ matches }) => this.systemDark.set(matches));
    effect(() => {
      localStorage.setItem(KEY, this.choice());
      document.documentElement.dataset['theme'] = this.dark() ? 'dark' : 'light';
    });
  }

  next(): void {
    this.choice.update((choice) => CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length]);
  }
}
