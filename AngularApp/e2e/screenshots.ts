/** Take the README's pictures: the page's main states, of a real lab. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FINAL, Lab, type Look, launchBrowser, open, parts } from './lab.ts';

const FOLDER = join(import.meta.dirname, '..', 'screenshots');
mkdirSync(FOLDER, { recursive: true });
const [lab, browser] = await Promise.all([Lab.start(), launchBrowser()]);

async function picture(name: string, look: Look, act: (page: Awaited<ReturnType<typeof open>>) => Promise<unknown>): Promise<void> {
  const page = await open(browser, lab.url, look);
  await page.getByText('Watching tables.py').waitFor();
  await act(page);
  await page.mouse.move(0, 0);
  await page.waitForTimeout(500); // for the end of every animation, the plot's too
  await page.screenshot({ path: join(FOLDER, `${name}.png`) });
  await page.context().close();
}

await lab.run('create', { tableName: 'states' });
await lab.run('updateDesc', { tableName: 'states' });
await lab.turnOn('updateExpiration');
await picture('wide', { width: 1600, height: 900 }, async (page) => {
  const { table, submit, result } = parts(page);
  await table.fill('states');
  await submit.click();
  await result.getByText('expires').first().waitFor();
  await page.locator('lab-guide .body').waitFor();
});
await picture('broken', { width: 800, height: 760, dark: true }, async (page) => {
  lab.save(
    FINAL.replace(
      'return {"bindings": [{**binding, "members": sorted(binding["members"])}',
      'return {"bindings": [{**binding, "members": sorted(binding["members"]}',
    ),
  );
  await page.locator('lab-mistake').waitFor();
});
await lab.turnOn('querySQL');
await picture('plot', { width: 800, height: 760 }, async (page) => {
  const { submit, result } = parts(page);
  await submit.click();
  await result.getByRole('button', { name: 'Chart' }).click();
});
await lab.run('setIAM', {
  tableName: 'states',
  emails: [
    ['user', 'ada@example.com'],
    ['group', 'data-team@example.com'],
  ],
});
await lab.turnOn('getIAM');
await picture('policy', { width: 800, height: 760, dark: true }, async (page) => {
  const { table, submit, result } = parts(page);
  await table.fill('states');
  await submit.click();
  await result.getByText('allUsers').waitFor();
});
await Promise.all([lab.remove(), browser.close()]);
