import { Component, ElementRef, Injectable, Injector, afterNextRender, computed, inject, input, signal, viewChildren } from '@angular/core';
import { Icon, IconName } from './shared/icon';

export const TABS = [
  { id: 'run', label: 'Run', icon: 'play' },
  { id: 'calls', label: 'Calls', icon: 'plug' },
  { id: 'output', label: 'Output', icon: 'file' },
  { id: 'history', label: 'History', icon: 'clock' },
  { id: 'catalog', label: 'Catalog', icon: 'dataset' },
  { id: 'guide', label: 'Guide', icon: 'help' },
] as const satisfies readonly { id: string; label: string; icon: IconName }[];

export type Tab = (typeof TABS)[number]['id'];

/** The tabs of each layout: three columns side by side, or all in one. */
const GROUPS: Record<'wide' | 'narrow', Tab[][]> = {
  wide: [['guide', 'catalog'], ['run'], ['calls', 'output', 'history']],
  narrow: [['run', 'calls', 'output', 'history', 'catalog', 'guide']],
};

/** Which tabs there are at this width, and which is open in each group. */
@Injectable({ providedIn: 'root' })
export class Tabs {
  private readonly injector = inject(Injector);
  private readonly query = matchMedia('(min-width: 1200px)');
  private readonly opened = signal<readonly Tab[]>(['run']);
  readonly wide = signal(this.query.matches);
  readonly groups = computed(() => GROUPS[this.wide() ? 'wide' : 'narrow']);

  constructor() {
    this.query.addEventListener('change', ({ matches }) => this.wide.set(matches));
  }

  /** The open tab of a group: the one that was asked for last, else its first. */
  open(group: Tab[]): Tab {
    return this.opened().findLast((tab) => group.includes(tab)) ?? group[0];
  }

  show(tab: Tab): void {
    if (this.groups().some((group) => this.open(group) === tab)) return;
    this.opened.update((opened) => [...opened.filter((other) => other !== tab), tab]);
    const toTop = () => [window, document.getElementById(`panel-${tab}`)].forEach((scrolls) => scrolls?.scrollTo(0, 0));
    afterNextRender(toTop, { injector: this.injector });
  }
}

/** The heads of one group of tabs, for mouse and keyboard. */
@Component({
  selector: 'lab-tab-list',
  imports: [Icon],
  template: `
    <div role="tablist" [attr.aria-label]="label()" (keydown)="move($event)">
      @for (tab of shown(); track tab.id) {
        <button
          #head
          type="button"
          role="tab"
          [id]="'tab-' + tab.id"
          [attr.aria-selected]="tab.id === open()"
          [attr.aria-controls]="tab.id === open() ? 'panel-' + tab.id : null"
          [tabIndex]="tab.id === open() ? 0 : -1"
          (click)="tabs.show(tab.id)"
        >
          <lab-icon [name]="tab.icon" /><span>{{ tab.label }}</span>
        </button>
      }
    </div>
  `,
})
export class TabList {
  readonly group = input.required<Tab[]>();
  readonly label = input.required<string>();
  protected readonly tabs = inject(Tabs);
  private readonly heads = viewChildren<ElementRef<HTMLElement>>('head');
  protected readonly open = computed(() => this.tabs.open(this.group()));
  protected readonly shown = computed(() => this.group().map((id) => TABS.find((tab) => tab.id === id)!));

  protected move(event: KeyboardEvent): void {
    const [group, at] = [this.group(), this.group().indexOf(this.open())];
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 + group.length, Home: 0, End: group.length - 1 }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.tabs.show(group[to % group.length]);
    this.heads()[to % group.length].nativeElement.focus();
  }
}
