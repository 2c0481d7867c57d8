/** Print what a user of the page waits for; medians of five, of a real lab in a real Chromium. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { FINAL, Lab, launchBrowser, own, parts } from './lab.ts';

const BUILT = join(import.meta.dirname, '..', 'dist', 'browser');
const ROWS = own(
  'name = data["tableName"]\nreturn {"rows": [[["id", i], ["name", f"{name} {i}"]] for i in range(100000)], "schema": ["id", "name"]}',
);
const PHONE = { offline: false, latency: 150, downloadThroughput: 1_600_000 / 8, uploadThroughput: 750_000 / 8 };

const browser = await launchBrowser();
const lab = await Lab.start();

const median = (numbers: number[]) => numbers.toSorted((one, other) => one - other)[numbers.length >> 1];
const tell = (what: string, value: number, unit: string) =>
  console.log(`${what.padEnd(64)}${value.toFixed(unit ? 0 : 3).padStart(8)} ${unit}`);

async function five<T>(width: number, slow: boolean, work: (page: Page) => Promise<T>): Promise<T[]> {
  const found: T[] = [];
  for (let time = 0; time < 5; time++) {
    const context = await browser.newContext({ viewport: { width, height: 900 } });
    const page = await context.newPage();
    if (slow) {
      const devtools = await context.newCDPSession(page);
      await devtools.send('Emulation.setCPUThrottlingRate', { rate: 4 });
      await devtools.send('Network.enable');
      await devtools.send('Network.emulateNetworkConditions', PHONE);
    }
    found.push(await work(page));
    await context.close();
  }
  return found;
}

/** Largest contentful paint (ms), layout shift, and blocking time (ms) of a first visit. */
async function visit(page: Page): Promise<{ paint: number; shift: number; blocked: number }> {
  await page.addInitScript(() => {
    const seen = ((window as any).seen = { paint: 0, shift: 0, blocked: 0 });
    const watch = (type: string, take: (entry: any) => unknown) =>
      new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
    watch('largest-contentful-paint', ({ startTime }) => (seen.paint = startTime));
    watch('layout-shift', ({ value, hadRecentInput }) => hadRecentInput || (seen.shift += value));
    watch('longtask', ({ duration }) => (seen.blocked += duration - 50));
  });
  await page.goto(lab.url);
  await page.getByText('Watching tables.py').waitFor();
  await page.waitForTimeout(2500);
  return page.evaluate(() => (window as any).seen);
}

/** From a save to the bar that says it was reloaded (ms). */
async function save(page: Page): Promise<number> {
  await page.goto(lab.url);
  await page.getByText('Watching tables.py').waitFor();
  const shown = page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        const bar = document.querySelector('lab-live-bar')!;
        new MutationObserver(() => bar.textContent!.includes('Reloaded in') && resolve(Date.now())).observe(bar, {
          subtree: true,
          childList: true,
          characterData: true,
        });
      }),
  );
  await page.evaluate(() => 0); // the observer is there
  const began = Date.now();
  lab.save(lab.source + '\n# saved');
  return (await shown) - began;
}

/** From Submit to a hundred thousand rows in the grid (ms). */
async function rows(page: Page): Promise<number> {
  await page.goto(lab.url);
  const { submit, table } = parts(page);
  const name = String(Math.random());
  await table.fill(name);
  await page.waitForTimeout(1500);
  const began = Date.now();
  await submit.click();
  await page.getByRole('gridcell', { name: `${name} 7`, exact: true }).waitFor();
  return Date.now() - began;
}

const index = readFileSync(join(BUILT, 'index.html'), 'utf8');
const scripts = [...index.matchAll(/(?:src|href)="([^"]+\.js)"/g)].map(([, name]) => statSync(join(BUILT, name + '.br')).size);
tell('first scripts, compressed', scripts.reduce((one, other) => one + other) / 1000, 'kB');
for (const [name, width, slow] of [
  ['1600 px', 1600, false],
  ['800 px', 800, false],
  ['a slow phone', 400, true],
] as const) {
  const visits = await five(width, slow, visit);
  tell(`${name}: largest contentful paint`, median(visits.map(({ paint }) => paint)), 'ms');
  tell(`${name}: layout shift`, median(visits.map(({ shift }) => shift)), '');
  tell(`${name}: main thread blocked`, median(visits.map(({ blocked }) => blocked)), 'ms');
}
tell('a save of tables.py to the bar that says so', median(await five(800, false, save)), 'ms');
lab.save(ROWS);
await lab.event(({ hash, operation, on }) => operation === 'create' && on.length === 1);
tell('Submit to a hundred thousand rows in the grid', median(await five(800, false, rows)), 'ms');
lab.save(FINAL);
await Promise.all([lab.remove(), browser.close()]);
