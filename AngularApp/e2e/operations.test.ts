/** All twelve operations through the page: once by mouse, once by keyboard alone. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { Lab, launchBrowser, open, parts } from './lab.ts';

interface Case {
  operation: string;
  /** What must be there before, made without the page. */
  given?: (lab: Lab, table: string) => Promise<unknown>;
  answer: (table: string) => string | RegExp;
  /** What else the page shows. */
  look?: (page: Page, table: string) => Promise<unknown>;
}

const exists = (lab: Lab, table: string) => lab.run('create', { tableName: table });
const gone = (lab: Lab, table: string) => lab.run('delete', { tableName: table });
const sees = (text: string) => async (page: Page) => parts(page).result.getByText(text).first().waitFor();

const CASES: Case[] = [
  { operation: 'create', answer: (table) => `Created table lab-project.Tables_Dataset.${table} with 4 columns.` },
  { operation: 'getIAM', given: exists, answer: () => /gives no role|roles\// },
  { operation: 'setIAM', given: exists, answer: () => '1 owner(s)' },
  { operation: 'updateDesc', given: exists, answer: () => 'FIPS codes of the states' },
  { operation: 'updateExpiration', given: exists, answer: () => 'expires in five days' },
  {
    operation: 'copySingle',
    given: async (lab, table) => (await gone(lab, 'Copied_Table'), exists(lab, table)),
    answer: () => 'to Copied_Table: 0 rows',
  },
  {
    operation: 'copyMultiple',
    given: async (lab, table) => (await gone(lab, 'Merged_Table'), exists(lab, table)),
    answer: () => 'into Merged_Table: 57 rows',
  },
  { operation: 'delete', given: exists, answer: (table) => `Deleted table Tables_Dataset.${table}.` },
  { operation: 'recover', given: exists, answer: () => 'to Recovered_Table: 0 rows' },
  { operation: 'querySDK', answer: () => '10 rows', look: sees('Alabama') },
  { operation: 'querySQL', answer: () => '10 rows', look: sees('view_count') },
  { operation: 'export', given: (lab, bucket) => lab.makeBucket(bucket), answer: (bucket) => `gs://${bucket}/shakespeare.csv` },
];

let lab: Lab;
let browser: Browser;
before(async () => {
  browser = await launchBrowser();
  lab = await Lab.start();
});
after(() => Promise.all([lab?.remove(), browser?.close()]));

async function byMouse(page: Page, operation: string, table: string): Promise<void> {
  const { table: name, bucket, submit } = parts(page);
  if (operation === 'export') await bucket.fill(table);
  else if (operation === 'querySDK') await page.getByRole('radio', { name: '10 Rows' }).click();
  else if (operation !== 'querySQL') await name.fill(table);
  if (operation === 'setIAM') await page.getByLabel('E-mail address of member 1').fill('ada@example.com');
  await submit.click();
}

async function byKeyboard(page: Page, operation: string, table: string): Promise<void> {
  await page.keyboard.press('Alt+Digit1');
  if (operation === 'querySDK') await page.keyboard.press('ArrowDown').then(() => page.keyboard.press('ArrowDown'));
  else if (operation !== 'querySQL') await page.keyboard.type(table);
  if (operation === 'setIAM') {
    for (const key of ['Tab', 'Tab']) await page.keyboard.press(key);
    await page.keyboard.type('ada@example.com');
  }
  await page.keyboard.press(operation === 'querySDK' ? 'Control+Enter' : 'Enter');
}

for (const [how, act] of [
  ['mouse', byMouse],
  ['keyboard', byKeyboard],
] as const) {
  describe(`by ${how}`, () => {
    for (const { operation, given, answer, look } of CASES) {
      test(operation, async () => {
        const table = `${how}-${operation.toLowerCase()}`;
        await given?.(lab, table);
        await lab.turnOn(operation);
        const page = await open(browser, lab.url);
        const { form, result } = parts(page);
        await form.getByText(operation, { exact: true }).waitFor();
        await act(page, operation, table);
        await result.getByRole('heading', { name: 'Done' }).waitFor();
        await result.getByText(answer(table)).first().waitFor();
        await look?.(page, table);
        assert.equal(await result.locator('[role=alert]').count(), 0);
        await page.done();
      });
    }
  });
}
