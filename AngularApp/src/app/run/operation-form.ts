import { Component, ElementRef, computed, inject, viewChild } from '@angular/core';
import { FormField } from '@angular/forms/signals';
import { LiveStore } from '../live/live-store';
import { Icon } from '../shared/icon';
import { FormStore } from './form-store';
import { BROWSING, MEMBER_TYPES, NEVER_BY_ITSELF } from './operations';
import { Price } from './price';
import { Runs } from './runs';

/** The form of the operation that is on, and Submit. */
@Component({
  selector: 'lab-operation-form',
  imports: [FormField, Icon, Price],
  templateUrl: './operation-form.html',
})
export class OperationForm {
  protected readonly lab = inject(LiveStore).lab;
  protected readonly form = inject(FormStore);
  protected readonly runs = inject(Runs);
  protected readonly browsing = BROWSING;
  protected readonly types = MEMBER_TYPES;
  private readonly element = viewChild.required<ElementRef<HTMLFormElement>>('element');

  protected readonly others = computed(() => this.lab().on.filter((key) => key !== this.lab().operation));
  protected readonly never = computed(() => NEVER_BY_ITSELF.has(this.lab().operation ?? ''));
  /** Why Submit can't work now; null when it can. */
  protected readonly hindrance = computed(() => {
    const { link, engine, version } = this.lab();
    if (link !== 'up') return link === 'down' ? 'The backend is down.' : 'Connecting to the backend.';
    if (engine === 'starting' || engine === 'down') return 'BigQuery is not ready yet.';
    return version === null ? 'No version of the file could be loaded yet.' : null;
  });

  submit(): void {
    if (this.hindrance()) return;
    if (this.form.valid()) return void this.runs.submit();
    this.form.fields.emails().markAsTouched();
    for (const row of this.form.fields.emails) {
      row.type().markAsTouched();
      row.address().markAsTouched();
    }
    setTimeout(() => this.element().nativeElement.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
  }

  focus(): void {
    this.element().nativeElement.querySelector<HTMLElement>('input, select, button')?.focus();
  }

  protected add(): void {
    this.form.addEmail();
    this.focusRow(-1);
  }

  protected remove(index: number): void {
    this.form.removeEmail(index);
    this.focusRow(Math.max(0, index - 1));
  }

  private focusRow(index: number): void {
    setTimeout(() => {
      const rows = [...this.element().nativeElement.querySelectorAll<HTMLElement>('.email input')];
      (rows.at(index) ?? this.element().nativeElement.querySelector<HTMLElement>('.add'))?.focus();
    });
  }
}
