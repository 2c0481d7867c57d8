/** Write .br and .gz beside every file of the built page, so that the backend need not compress. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const folder = join(import.meta.dirname, 'dist', 'browser');
for (const name of readdirSync(folder)) {
  if (!/\.(js|css|html|svg)$/.test(name)) continue;
  const content = readFileSync(join(folder, name));
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
  writeFileSync(join(folder, name + '.br'), brotliCompressSync(content, { params }));
  writeFileSync(join(folder, name + '.gz'), gzipSync(content, { level: 9 }));
}
