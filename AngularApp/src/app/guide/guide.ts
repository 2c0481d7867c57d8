import { Component, ElementRef, computed, effect, inject, linkedSignal, signal, untracked, viewChild } from '@angular/core';
import { GuideStep } from '../contract';
import { LabApi, sentence } from '../lab-api';
import { LiveStore } from '../live/live-store';
import { Runs } from '../run/runs';
import { Code } from '../shared/code';
import { Copy } from '../shared/copy';
import { Icon } from '../shared/icon';
import { Prose } from './prose';

/** The lab in steps; each is ticked when the real state says that it is done. */
@Component({
  selector: 'lab-guide',
  imports: [Code, Copy, Icon, Prose],
  templateUrl: './guide.html',
})
export class Guide {
  private readonly api = inject(LabApi);
  private readonly live = inject(LiveStore);
  private readonly ended = inject(Runs).ended;
  protected readonly guide = this.api.guide();
  protected readonly sentence = sentence;
  protected readonly file = computed(() => this.live.lab().file);

  /** What was read last stays in sight while it is read again. */
  protected readonly steps = linkedSignal<GuideStep[] | undefined, GuideStep[] | undefined>({
    source: () => (this.guide.hasValue() ? this.guide.value().steps : undefined),
    computation: (read, previous) => read ?? previous?.value,
  });
  protected readonly counted = computed(() => {
    const steps = (this.steps() ?? []).filter((step) => step.done !== null);
    return { done: steps.filter((step) => step.done).length, all: steps.length };
  });
  /** The open step: the one that was chosen, else the first that is to be done; for a newcomer the first of all. */
  private readonly chosen = signal<string | null>(null);
  protected readonly open = computed(() => {
    const steps = this.steps() ?? [];
    const next = steps.some((step) => step.done) ? steps.find((step) => step.done === false) : steps[0];
    return this.chosen() ?? next?.id ?? null;
  });

  protected readonly resetting = signal<'start' | 'final' | null>(null);
  protected readonly told = signal('');
  private readonly dialog = viewChild.required<ElementRef<HTMLDialogElement>>('dialog');

  constructor() {
    effect(() => {
      this.ended();
      const { link, hash } = this.live.lab();
      if (link === 'up' && hash !== undefined) untracked(() => this.guide.reload());
    });
  }

  protected choose(step: GuideStep): void {
    this.chosen.set(step.id === this.open() ? '' : step.id);
  }

  protected ask(to: 'start' | 'final'): void {
    this.resetting.set(to);
    this.dialog().nativeElement.showModal();
  }

  protected async reset(): Promise<void> {
    this.dialog().nativeElement.close();
    const to = this.resetting()!;
    this.told.set(await this.api.reset(to).then(({ backup }) => `Done. Your file was kept as ${backup}.`, sentence));
  }
}
