import { NEVER_BY_ITSELF, OPERATIONS, operation, pinned } from './operations';

const NONE = { default: false, IAM: false, setIAM: false, browse: false, query: false };

describe('forms', () => {
  it('are pinned by the environment alone', () => {
    expect(pinned(NONE)).toBeNull();
    expect(pinned({ ...NONE, default: true })).toMatchObject({ name: 'table', emails: false, browse: false });
    expect(pinned({ ...NONE, IAM: true })).toMatchObject({ name: 'table', emails: false });
    expect(pinned({ ...NONE, IAM: true, setIAM: true })).toMatchObject({ name: 'table', emails: true });
    expect(pinned({ ...NONE, browse: true })).toMatchObject({ name: null, browse: true });
    expect(pinned({ ...NONE, browse: true, query: true })).toMatchObject({ name: null, browse: false });
  });

  it('exist for an operation of the learner’s own', () => {
    expect(operation('myOwn')).toMatchObject({ title: 'myOwn', name: 'table' });
  });

  it('never run by themselves where they destroy or let people in', () => {
    expect([...NEVER_BY_ITSELF].every((key) => key in OPERATIONS)).toBe(true);
    expect([...NEVER_BY_ITSELF].sort()).toEqual(['delete', 'recover', 'setIAM']);
  });
});
