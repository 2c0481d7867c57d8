/** axe finds nothing in any state, width and theme, and nothing is wider than the window. */
import axe from 'axe-core';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { FINAL, Lab, launchBrowser, open, own, parts } from './lab.ts';

let lab: Lab;
let browser: Browser;
before(async () => {
  browser = await launchBrowser();
  lab = await Lab.start();
  await lab.run('create', { tableName: 'states' });
});
after(() => Promise.all([lab?.remove(), browser?.close()]));

async function check(page: Page, state: string): Promise<void> {
  await page.evaluate(() => scrollTo(0, 0)); // else a target may be half under the tabs, which stay where they are
  // Animations end first: a colour on its way is no colour.
  await page.evaluate(() =>
    Promise.all(
      document
        .getAnimations()
        .filter((one) => one.effect?.getTiming().iterations !== Infinity)
        .map((one) => one.finished.catch(() => 0)),
    ),
  );
  const found = await page.evaluate(async () => {
    const { violations } = await (window as any).axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
    return violations.flatMap(({ id, nodes }: any) => nodes.map((node: any) => `${id}: ${node.target.join(' ')} ${node.failureSummary}`));
  });
  assert.deepEqual(found, [], state);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${state}: wider than the window`);
}

for (const width of [320, 800, 1600]) {
  for (const dark of [false, true]) {
    test(`${width} px, ${dark ? 'dark' : 'light'}`, async () => {
      await lab.turnOn('setIAM');
      const page = await open(browser, lab.url, { width, dark });
      await page.evaluate(axe.source);
      const { form, submit, result, table, bar } = parts(page);
      const heading = (name: string) => form.getByRole('heading', { name }).waitFor();
      const done = () => result.getByRole('heading', { name: 'Done' }).waitFor();

      await table.fill('states');
      await submit.click();
      await page.getByText('Type an e-mail address').waitFor();
      await check(page, 'a row without an address');
      await page.getByLabel('E-mail address of member 1').fill('ada@example.com');
      await submit.click();
      await done();
      await check(page, 'setIAM');
      lab.save(Lab.on(FINAL, 'getIAM', 'export'));
      await form.getByText('2 operations are on').waitFor();
      await submit.click();
      await result.getByText('allUsers').waitFor();
      await check(page, 'a policy, two operations on');
      await lab.turnOn('querySQL');
      await form.getByText('would be billed').click();
      await submit.click();
      await result.getByRole('gridcell').first().waitFor();
      await check(page, 'rows, price, and what printed');
      await result.getByRole('button', { name: 'Chart' }).click();
      await result.getByText('The numbers').click();
      await check(page, 'a plot');
      await lab.turnOn('querySDK');
      await result.getByText(/^Made by version/).waitFor();
      await check(page, 'a stale result');
      await page.getByRole('radio', { name: 'Pretty Print' }).check();
      await submit.click();
      await result.getByText('Printed').first().waitFor();
      await check(page, 'printed lines');
      lab.save(FINAL.replace('import json', 'import json('));
      await page.locator('lab-mistake').getByText('Traceback').click();
      await check(page, 'broken');
      lab.save(own('return data["nothing"]'));
      await heading('Create a table');
      await submit.click();
      await result.getByRole('heading', { name: 'KeyError' }).waitFor();
      await check(page, 'an error');
      lab.save(own('print("working")\ntime.sleep(60)'));
      await bar.getByText(/^Reloaded/).waitFor();
      await result.getByText(/^Made by version/).waitFor();
      await submit.click();
      await result.getByText('working').waitFor();
      await check(page, 'running');
      await page.keyboard.press('Escape');
      await result.getByRole('heading', { name: 'Cancelled' }).waitFor();
      await check(page, 'cancelled');
      await lab.turnOn('updateDesc');
      await heading('Change the description');
      await table.fill('states');
      await submit.click();
      await done();
      for (const [digit, name] of [
        [2, 'Calls'],
        [3, 'Output'],
        [4, 'History'],
        [5, 'Catalog'],
        [6, 'Guide'],
      ] as const) {
        await page.keyboard.press(`Alt+Digit${digit}`);
        const panel = page.getByRole('tabpanel', { name });
        await panel.getByRole('heading').first().waitFor();
        if (name === 'Calls') await panel.locator('summary').last().click();
        if (name === 'Catalog') {
          await panel.getByRole('button', { name: /^states/ }).waitFor();
          await check(page, 'Catalog');
          await panel.getByRole('button', { name: /^states/ }).click();
          await panel.getByRole('heading', { name: 'Schema' }).waitFor();
        }
        if (name === 'Guide') await panel.locator('.body').waitFor();
        await check(page, name);
      }
      await page.getByRole('button', { name: 'Help and keys' }).click();
      await check(page, 'help');
      await page.keyboard.press('Escape');
      lab.save(Lab.on(FINAL));
      await page.keyboard.press('Alt+Digit1');
      await heading('No operation is on');
      await check(page, 'nothing on');
      await page.done();
    });
  }
}
