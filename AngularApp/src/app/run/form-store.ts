import { Injectable, computed, effect, inject, signal } from '@angular/core';
import { applyEach, email, form, required } from '@angular/forms/signals';
import { RunData } from '../contract';
import { LiveStore } from '../live/live-store';
import { MEMBER_TYPES, Operation, operation, pinned } from './operations';

interface Typed {
  table: string;
  bucket: string;
  browse: string;
  emails: { type: string; address: string }[];
}

const KEY = 'lab-form';
const EMPTY: Typed = { table: '', bucket: '', browse: '', emails: [{ type: 'user', address: '' }] };

/** What was typed, kept while operations come and go and when the page is loaded again. */
@Injectable({ providedIn: 'root' })
export class FormStore {
  private readonly live = inject(LiveStore);
  private readonly typed = signal<Typed>(remembered());

  readonly fields = form(this.typed, (path) => {
    applyEach(path.emails, (row) => {
      required(row.type, { message: 'Choose a type' });
      required(row.address, { message: 'Type an e-mail address' });
      email(row.address, { message: 'This is no e-mail address' });
    });
  });

  /** The operation whose form is shown; null where none is on. */
  readonly operation = computed<Operation | null>(() => {
    const key = this.live.operation();
    return pinned() ?? (key === null ? null : operation(key));
  });

  /** Whether the form can be sent. Only rows of addresses can be wrong: the rest is for execute to judge. */
  readonly valid = computed(() => !this.operation()?.emails || this.fields.emails().valid());

  readonly data = computed<RunData>(() => {
    const [typed, shown] = [this.typed(), this.operation()];
    return {
      tableName: shown?.name ? typed[shown.name] : '',
      emails: shown?.emails ? typed.emails.map(({ type, address }) => [type, address.trim()]) : [],
      browse: shown?.browse ? typed.browse : '',
    };
  });

  constructor() {
    effect(() => sessionStorage.setItem(KEY, JSON.stringify(this.typed())));
  }

  addEmail(): void {
    this.typed.update((typed) => ({ ...typed, emails: [...typed.emails, { type: MEMBER_TYPES[0], address: '' }] }));
  }

  removeEmail(index: number): void {
    this.typed.update((typed) => ({ ...typed, emails: typed.emails.filter((_, other) => other !== index) }));
  }
}

function remembered(): Typed {
  try {
    return { ...EMPTY, ...JSON.parse(sessionStorage.getItem(KEY) ?? '{}') };
  } catch {
    return EMPTY;
  }
}
