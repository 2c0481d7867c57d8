/** A running lab with a learner's file that tests edit, and a real browser that looks at it. */
import chromium from '@sparticuz/chromium';
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Browser, type Page, chromium as playwright } from 'playwright-core';

const ROOT = join(import.meta.dirname, '..', '..');
const PYTHON = process.env.LAB_PYTHON ?? join(ROOT, '.venv', 'bin', 'python');
export const FINAL = readFileSync(join(ROOT, 'tables.final.py'), 'utf8');

/** A file whose only operation does what `body` says; `body` is the inside of execute. */
export function own(body: string, env = '{"create": True}'): string {
  const lines = body.split('\n').map((line) => `        ${line}`);
  return `import time\n\n\nclass my_bigquery_client:\n    env = ${env}\n\n    def execute(self, data):\n${lines.join('\n')}\n`;
}

export class Lab {
  readonly folder = mkdtempSync(join(tmpdir(), 'lab-'));
  readonly tables = join(this.folder, 'tables.py');
  url = '';
  private process?: ChildProcess;
  private said = '';

  static async start(source = FINAL): Promise<Lab> {
    const lab = new Lab();
    writeFileSync(lab.tables, source);
    await lab.launch(0);
    return lab;
  }

  async launch(port: number): Promise<void> {
    const flags = [
      '--port',
      String(port),
      '--tables',
      this.tables,
      '--data-dir',
      join(this.folder, 'data'),
      '--cache-dir',
      join(ROOT, '.cache'),
      '--no-open',
    ];
    const child = spawn(PYTHON, [join(ROOT, 'tornado_server.py'), ...flags], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    this.process = child;
    child.stderr.on('data', (text) => (this.said += text));
    for await (const line of createInterface(child.stdout)) {
      const found = /The lab is at (\S+)/.exec(line);
      if (found) {
        this.url = found[1];
        child.stdout.resume();
        return;
      }
    }
    throw new Error(`The lab did not start:\n${this.said}`);
  }

  /** End the backend as `kill -9` does, or as Ctrl-C does. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!this.process || this.process.exitCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill(signal);
    await ended;
  }

  /** The engine of a lab that was killed may hold its data a moment longer; a lab that starts meanwhile ends with that reason. */
  async restart(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.launch(Number(new URL(this.url).port));
      } catch (error) {
        if (tries === 10) throw error;
      }
    }
  }

  async remove(): Promise<void> {
    await this.end();
    rmSync(this.folder, { recursive: true, force: true });
    assert.ok(!this.said.includes('Uncaught exception'), this.said);
  }

  get source(): string {
    return readFileSync(this.tables, 'utf8');
  }

  save(source: string): void {
    writeFileSync(this.tables, source);
  }

  /** The file with these operations on, the others off. */
  static on(source: string, ...operations: string[]): string {
    return source.replace(/^( +"(\w+)": )(?:True|False),$/gm, (_, start, key) => `${start}${operations.includes(key) ? 'True' : 'False'},`);
  }

  /** Turn one operation on as a learner does, and wait until the backend serves it. */
  async turnOn(operation: string): Promise<void> {
    const source = Lab.on(FINAL, operation);
    if (source === this.source) return;
    const reloaded = this.event(({ event, operation: now }) => event === 'reloaded' && now === operation);
    await reloaded.listening;
    this.save(source);
    await reloaded;
  }

  /** The first event of the live stream that fits; the snapshot counts. */
  event(fits: (event: any) => boolean): Promise<any> & { listening: Promise<unknown> } {
    const socket = new WebSocket(this.url.replace('http', 'ws') + '/live');
    const found = new Promise((resolve, reject) => {
      socket.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        if (fits(event)) (resolve(event), socket.close());
      };
      socket.onerror = () => reject(new Error('The live stream can not be reached'));
    });
    return Object.assign(found, { listening: once(socket, 'open') });
  }

  /** Run an operation without the page. */
  async run(operation: string, data: object): Promise<string> {
    await this.turnOn(operation);
    return (await fetch(this.url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(data) })).text();
  }

  async makeBucket(name: string): Promise<void> {
    const { addresses } = await this.event(({ event }) => event === 'snapshot');
    const made = await fetch(`${addresses.storage}/storage/v1/b?project=lab-project`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ name }),
    });
    assert.ok(made.ok, await made.text());
  }
}

/** Chromium as it is, not with the arguments that its packager adds: one of them would hide a hole between origins. */
export async function launchBrowser(): Promise<Browser> {
  chromium.setGraphicsMode = false;
  return playwright.launch({
    executablePath: await chromium.executablePath(),
    args: ['--headless=shell', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
  });
}

export interface Look {
  width?: number;
  height?: number;
  dark?: boolean;
}

/** Open the page; what it must never do (ask another host, break its policy, throw) fails the test when it is closed. */
export async function open(
  browser: Browser,
  url: string,
  { width = 800, height = 900, dark = false }: Look = {},
): Promise<Page & { done(): Promise<void> }> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(String(error)));
  page.on(
    'request',
    (request) => new URL(request.url()).host === new URL(url).host || request.url().startsWith('data:') || wrong.push(request.url()),
  );
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !/Failed to load resource|WebSocket connection/.test(message.text()))
      wrong.push(message.text());
  });
  await page.goto(url);
  const done = async () => {
    await context.close();
    assert.deepEqual(wrong, []);
  };
  return Object.assign(page, { done });
}

/** The parts of the page that tests speak of. */
export const parts = (page: Page) => ({
  bar: page.locator('lab-live-bar .state'),
  table: page.getByLabel('Table', { exact: true }),
  bucket: page.getByLabel('Bucket', { exact: true }),
  submit: page.getByRole('button', { name: 'Submit' }),
  result: page.getByRole('region', { name: 'Result' }),
  form: page.locator('lab-operation-form'),
});
