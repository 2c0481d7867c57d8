/** What a hostile page, and a hostile answer, can't do. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { Lab, launchBrowser, open, own, parts } from './lab.ts';

let lab: Lab;
let browser: Browser;
const foreign = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end('<!doctype html><title>Foreign</title>'));
before(async () => {
  browser = await launchBrowser();
  lab = await Lab.start(own('open(__file__ + ".ran", "w").close()\nreturn "<b id=bold>bold</b>"'));
  await once(foreign.listen(0, '127.0.0.1'), 'listening');
});
after(async () => {
  foreign.close();
  await Promise.all([lab?.remove(), browser?.close()]);
});

test('a foreign page can neither run code nor listen nor read', async () => {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`http://127.0.0.1:${(foreign.address() as AddressInfo).port}/`);
  const tried = await page.evaluate(async (url) => {
    const attempt = (options: RequestInit, path = '/') =>
      fetch(url + path, options).then(
        async (reply) => reply.type + (await reply.text()),
        () => 'refused',
      );
    return {
      json: await attempt({ method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }),
      simple: await attempt({ method: 'POST', mode: 'no-cors', headers: { 'Content-Type': 'text/plain' }, body: '{}' }),
      form: await attempt({ method: 'POST', mode: 'no-cors', body: new URLSearchParams({ a: '1' }) }),
      read: await attempt({}, '/lab/catalog'),
      live: await new Promise((resolve) => {
        const socket = new WebSocket(url.replace('http', 'ws') + '/live');
        socket.onmessage = () => resolve('heard');
        socket.onerror = socket.onclose = () => resolve('refused');
      }),
      framed: await new Promise((resolve) => {
        const frame = document.createElement('iframe');
        frame.onload = () => resolve('tried');
        frame.src = url;
        document.body.append(frame);
      }),
    };
  }, lab.url);
  assert.deepEqual(tried, { json: 'refused', simple: 'opaque', form: 'opaque', read: 'refused', live: 'refused', framed: 'tried' });
  assert.ok(!page.frames().some((frame) => frame.url().startsWith(lab.url)), 'the page was framed');
  await page.context().close();
  assert.equal(existsSync(lab.tables + '.ran'), false, 'execute has run');
});

test('an answer is shown as text, and the page lets no text become markup or script', async () => {
  const page = await open(browser, lab.url);
  const { submit, result } = parts(page);
  await submit.click();
  await result.getByText('<b id=bold>bold</b>').waitFor();
  assert.equal(await page.locator('#bold').count(), 0);
  const refused = await page.evaluate(() => {
    const names: string[] = [];
    const attempt = (name: string, work: () => void) => {
      try {
        work();
      } catch {
        names.push(name);
      }
    };
    attempt('markup', () => (document.createElement('div').innerHTML = '<b>x</b>'));
    attempt('script', () => (document.createElement('script').text = 'x'));
    attempt('policy', () => (window as any).trustedTypes.createPolicy('mine', {}));
    return names;
  });
  assert.deepEqual(refused, ['markup', 'script', 'policy']);
  await page.context().close();
});
