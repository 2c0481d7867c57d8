/** The page follows the file, the run and the backend. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { FINAL, Lab, type Look, launchBrowser, open, own, parts } from './lab.ts';

const SLOW = own(`print("working")
for _ in range(1200):
    time.sleep(0.05)
return "done"`);

let lab: Lab;
let browser: Browser;
let page: Awaited<ReturnType<typeof open>>;
before(async () => {
  browser = await launchBrowser();
  lab = await Lab.start();
});
after(() => Promise.all([lab?.remove(), browser?.close()]));
beforeEach(async () => await lab.turnOn('create'));
afterEach(() => page.done());

const look = async (size?: Look) => ((page = await open(browser, lab.url, size)), parts(page));

describe('the file', () => {
  test('a save changes the form at once, keeps what was typed and does not move the focus', async () => {
    const { table, form, bar } = await look();
    await table.fill('states');
    await lab.turnOn('delete');
    await form.getByRole('heading', { name: 'Delete a table' }).waitFor();
    await bar.getByText(/^Reloaded in/).waitFor();
    await bar.getByText('delete is on now. Changed env').waitFor();
    assert.equal(await table.inputValue(), 'states');
    assert.ok(await table.evaluate((element) => element === document.activeElement));
  });

  test('a broken save shows its line while the old code serves, and the next good save clears it', async () => {
    const { bar, table, submit, result } = await look();
    lab.save(FINAL.replace('dataset_names = ["Tables_Dataset"]', 'dataset_names = ["Tables_Dataset"'));
    const mistake = page.locator('lab-mistake');
    await mistake.getByRole('heading', { name: 'SyntaxError' }).waitFor();
    await mistake.locator('.frame .current').getByText('dataset_names').waitFor();
    await bar.getByText(/Mistake in line \d+/).waitFor();
    await bar.getByText('is still serving').waitFor();
    await table.fill('while-broken');
    await submit.click();
    await result.getByText('Created table').waitFor();
    lab.save(FINAL + '\n');
    await mistake.waitFor({ state: 'detached' });
    await bar.getByText(/^Reloaded in/).waitFor();
  });

  test('no operation, and several', async () => {
    const { form } = await look();
    lab.save(Lab.on(FINAL));
    await form.getByRole('heading', { name: 'No operation is on' }).waitFor();
    lab.save(Lab.on(FINAL, 'getIAM', 'export'));
    await form.getByText('2 operations are on. The first one runs: getIAM, not export.').waitFor();
  });

  test('a result is marked when other code is live, and not when that code comes back', async () => {
    const { submit, result, table } = await look();
    await table.fill('stale');
    await submit.click();
    await result.getByText('Created table').or(result.getByText('exists already')).waitFor();
    await lab.turnOn('delete');
    await result.getByText(/^Made by version/).waitFor();
    await result.getByRole('button', { name: 'What changed' }).click();
    await result.getByText('"delete": True').waitFor();
    await lab.turnOn('create');
    await result.getByText(/^Made by version/).waitFor({ state: 'detached' });
  });

  test('run again on save', async () => {
    const { submit, result } = await look();
    lab.save(own('return "first"'));
    await submit.click();
    await result.getByText('first').waitFor();
    await page.getByLabel('Run again on save').check();
    lab.save(own('return "second"'));
    await result.getByText('second').waitFor();
    lab.save(own('return "third"', '{"delete": True}'));
    await page.getByRole('heading', { name: 'Delete a table' }).waitFor();
    assert.ok(await page.getByLabel('Run again on save').isDisabled());
    assert.equal(await result.getByText('third').count(), 0);
  });
});

describe('a run', () => {
  test('a double click is one request', async () => {
    const { submit, result } = await look();
    lab.save(own('self.n = getattr(self, "n", 0) + 1\ntime.sleep(0.3)\nreturn f"call {self.n}"'));
    await parts(page)
      .bar.getByText(/^Reloaded/)
      .waitFor();
    await submit.dblclick();
    await result.getByText('call 1').waitFor();
    await submit.click();
    await result.getByText('call 2').waitFor();
  });

  test('what it prints is seen while it runs, and Esc cancels it', async () => {
    lab.save(SLOW);
    const { submit, result } = await look();
    await submit.click();
    await result.getByText('working').waitFor();
    await page.getByRole('button', { name: 'Cancel' }).waitFor();
    await page.keyboard.press('Escape');
    await result.getByRole('heading', { name: 'Cancelled' }).waitFor();
    await submit.waitFor();
  });

  test('an error shows its class, message and line', async () => {
    lab.save(own('rows = {"a": 1}\nreturn rows["b"]'));
    const { submit, result } = await look();
    await submit.click();
    const failure = result.getByRole('alert');
    await failure.getByRole('heading', { name: 'KeyError' }).waitFor();
    await failure.locator('.frame .current').getByText('return rows').waitFor();
  });

  test('its calls and changes are told, each with its request and reply', async () => {
    const { table, submit, result } = await look();
    await table.fill('calls');
    await lab.run('delete', { tableName: 'calls' });
    await lab.turnOn('create');
    await submit.click();
    await result.getByText('Created table').waitFor();
    await page.keyboard.press('Alt+Digit2');
    const panel = page.getByRole('tabpanel', { name: 'Calls' });
    await panel.getByText('created', { exact: true }).waitFor();
    const call = panel.locator('.calls li', { has: page.locator('.path', { hasText: /\/tables$/ }) }).filter({ hasText: 'POST' });
    await call.locator('summary').click();
    await call.getByText('state_fips_code').first().waitFor();
  });

  test('results can be gone back to, after the page was loaded again, too', async () => {
    const { table, submit, result } = await look();
    lab.save(own('return "one " + data["tableName"]'));
    await table.fill('first');
    await submit.click();
    await result.getByText('one first').waitFor();
    await table.fill('second');
    await submit.click();
    await result.getByText('one second').waitFor();
    await page.reload();
    assert.equal(await table.inputValue(), 'second');
    await page.getByRole('tab', { name: 'History' }).click();
    await page.getByRole('button', { name: /first/ }).first().click();
    await result.getByText('one first').waitFor();
  });

  test('a hundred thousand rows are sorted and filtered', async () => {
    lab.save(own('return {"rows": [[["id", i], ["name", f"row {i}"]] for i in range(100000)], "schema": ["id", "name"]}'));
    const { submit, result } = await look();
    await submit.click();
    await result.getByText('100,000 rows').waitFor();
    await page.keyboard.press('Slash');
    await page.keyboard.type('row 99999');
    await result.getByText('1 of 100,000 rows').waitFor();
    await result.getByRole('gridcell', { name: 'row 99999' }).waitFor();
    await page.getByLabel('Filter rows').fill('');
    await result.getByRole('columnheader', { name: 'id' }).click();
    await result.getByRole('columnheader', { name: 'id' }).click();
    await result.getByRole('gridcell', { name: '99999', exact: true }).waitFor();
  });

  test('numbers can be plotted, with a table beside the plot', async () => {
    await lab.turnOn('querySQL');
    const { submit, result, form } = await look();
    await form.getByText('would be billed').waitFor();
    await submit.click();
    await result.getByText('10 rows').waitFor();
    await result.getByRole('button', { name: 'Chart' }).click();
    await result.locator('canvas').waitFor();
    await result.getByText('The numbers').click();
    await result
      .getByRole('cell', { name: /stackoverflow.com/ })
      .first()
      .waitFor();
  });
});

describe('the panels', () => {
  test('the catalog shows a new table after the run that made it, and what it holds', async () => {
    await lab.run('delete', { tableName: 'in-catalog' });
    await lab.turnOn('create');
    const { table, submit } = await look({ width: 1600 });
    await page.getByRole('tab', { name: 'Catalog' }).click();
    await page.getByText('fips_codes_states').waitFor();
    await table.fill('in-catalog');
    await submit.click();
    await page.getByLabel('Filter the catalog').fill('in-cat');
    await page.getByRole('button', { name: /in-catalog/ }).click();
    const panel = page.getByRole('tabpanel', { name: 'Catalog' });
    await panel.getByRole('cell', { name: 'state_gnisid' }).first().waitFor();
  });

  test('the guide ticks a step when the real state says that it is done, and resets the file with a backup', async () => {
    const { table, submit, result } = await look({ width: 1600 });
    const guide = page.getByRole('tabpanel', { name: 'Guide' });
    await table.fill('guided');
    await submit.click();
    await result.getByText('Created table').or(result.getByText('exists already')).waitFor();
    await guide
      .locator('li.done')
      .getByRole('button', { name: /create/i })
      .first()
      .waitFor();
    await guide.getByRole('button', { name: 'Reset to the start' }).click();
    await page.getByRole('button', { name: 'Replace tables.py' }).click();
    await guide.getByText(/was kept as/).waitFor();
    await parts(page).form.getByRole('heading', { name: 'No operation is on' }).waitFor();
    assert.match(lab.source, /paste below this line\n\s+# create: paste above/);
  });
});

describe('keys and looks', () => {
  test('tabs by arrows and by number, help and back', async () => {
    await look();
    await page.keyboard.press('Alt+Digit2');
    const tab = (name: string) => page.getByRole('tab', { name, selected: true });
    await tab('Calls').waitFor();
    await page.keyboard.press('ArrowRight');
    await tab('Output').waitFor();
    await page.keyboard.press('End');
    await tab('Guide').waitFor();
    await page.keyboard.press('ArrowRight');
    await tab('Run').waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'How this works' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    assert.ok(await page.evaluate(() => document.activeElement?.id === 'tab-run'));
    await page.keyboard.press('Alt+Digit5');
    await page.getByLabel('Filter the catalog').waitFor();
    await page.keyboard.press('Slash');
    assert.ok(await page.getByLabel('Filter the catalog').evaluate((element) => element === document.activeElement));
  });

  test('typing is typing, not a key of the page', async () => {
    const { table } = await look();
    await table.pressSequentially('a/b?');
    assert.equal(await table.inputValue(), 'a/b?');
    assert.equal(await page.getByRole('dialog').count(), 0);
  });

  test('light and dark as chosen, kept when the page is loaded again', async () => {
    await look({ dark: true });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await page.getByRole('button', { name: 'Theme: auto' }).click();
    await page.getByRole('button', { name: 'Theme: light' }).waitFor();
    assert.notEqual(await ground(), dark);
    await page.reload();
    await page.getByRole('button', { name: 'Theme: light' }).click();
    await page.getByRole('button', { name: 'Theme: dark' }).waitFor();
    assert.equal(await ground(), dark);
  });

  test('typed and open things survive a change of width', async () => {
    const { table } = await look({ width: 1600 });
    await table.fill('states');
    await page.setViewportSize({ width: 800, height: 900 });
    await page.getByRole('tab', { name: 'Run', selected: true }).waitFor();
    assert.equal(await table.inputValue(), 'states');
  });
});

describe('the backend', () => {
  test('killed and started again: the page says so, comes back by itself and keeps the form', async () => {
    const { bar, table, submit, result } = await look();
    await table.fill('survivor');
    await lab.end('SIGKILL');
    await bar.getByText('Backend down').waitFor();
    assert.equal(await submit.getAttribute('aria-disabled'), 'true');
    await lab.restart();
    await bar.getByText('Watching tables.py').waitFor();
    assert.equal(await table.inputValue(), 'survivor');
    await submit.click();
    await result.getByText(/Created table|exists already/).waitFor();
  });

  test('killed under a run: the run ends with a sentence', async () => {
    lab.save(SLOW);
    const { submit, result } = await look();
    await submit.click();
    await result.getByText('working').waitFor();
    await lab.end('SIGKILL');
    await result.getByText(/went away/).waitFor();
    await lab.restart();
  });
});
