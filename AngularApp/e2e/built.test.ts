/** What was built, as it lies on the disk. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const BUILT = join(import.meta.dirname, '..', 'dist', 'browser');
const index = readFileSync(join(BUILT, 'index.html'), 'utf8');

test('the first scripts are at most 110 kB', () => {
  const scripts = [...index.matchAll(/(?:src|href)="([^"]+\.js)"/g)].map(([, name]) => name);
  const size = scripts.reduce((sum, name) => sum + statSync(join(BUILT, name + '.br')).size, 0);
  assert.ok(scripts.length && size <= 110_000, `${scripts.length} scripts, ${size} bytes`);
});

test('everything is there compressed, too', () => {
  for (const name of readdirSync(BUILT).filter((name) => /\.(js|css|html)$/.test(name))) {
    assert.ok(existsSync(join(BUILT, name + '.br')) && existsSync(join(BUILT, name + '.gz')), name);
  }
});

test('nothing is asked of another host, and no script or style stands in the page', () => {
  assert.doesNotMatch(index, /(?:src|href)="(?:https?:)?\/\//);
  assert.doesNotMatch(index, /<script(?![^>]*\bsrc=)|<style|\son\w+=|style="/);
});
