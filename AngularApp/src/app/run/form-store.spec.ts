import { signal } from '@angular/core';
import { TestBed } from '@angular/core/testing';
import { LiveStore } from '../live/live-store';
import { FormStore } from './form-store';

function form() {
  const operation = signal<string | null>('create');
  TestBed.configureTestingModule({ providers: [{ provide: LiveStore, useValue: { operation } }] });
  return { operation, form: TestBed.inject(FormStore) };
}

describe('FormStore', () => {
  beforeEach(() => sessionStorage.clear());

  it('sends what the operation’s form shows, and keeps the rest', () => {
    const { operation, form: store } = form();
    store.fields.table().value.set('states');
    store.fields.bucket().value.set('my-bucket');
    store.fields.browse().value.set('10 Rows');
    expect(store.data()).toEqual({ tableName: 'states', emails: [], browse: '' });
    operation.set('export');
    expect(store.data().tableName).toBe('my-bucket');
    operation.set('querySDK');
    expect(store.data()).toEqual({ tableName: '', emails: [], browse: '10 Rows' });
    operation.set('delete');
    expect(store.data().tableName).toBe('states');
  });

  it('wants a type and an address in every row, for setIAM alone', () => {
    const { operation, form: store } = form();
    expect(store.valid()).toBe(true);
    operation.set('setIAM');
    expect(store.valid()).toBe(false);
    store.fields.emails[0].address().value.set('ada@example.com');
    expect(store.valid()).toBe(true);
    store.addEmail();
    expect(store.valid()).toBe(false);
    store.removeEmail(1);
    expect(store.data().emails).toEqual([['user', 'ada@example.com']]);
  });

  it('has no form where no operation is on', () => {
    const { operation, form: store } = form();
    operation.set(null);
    expect(store.operation()).toBeNull();
  });

  it('remembers what was typed when the page is loaded again', () => {
    form().form.fields.table().value.set('states');
    TestBed.tick();
    TestBed.resetTestingModule();
    expect(form().form.fields.table().value()).toBe('states');
  });
});
