/** The files of the page, over HTTP. What leads out of their folder is in attacks.test.ts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Assets } from '../../../inspector/server/assets.ts';
import { tempFolder } from '../../support/temp.ts';

test('a file of the page comes compressed to who takes that, where it is worth it', async () => {
  const page = tempFolder();
  mkdirSync(join(page, 'assets'));
  const long = 'export const words = "again";\n'.repeat(100);
  for (const [name, text] of [
    ['index.html', '<!doctype html>'],
    ['assets/main-0123abcd.js', long],
  ] as const)
    writeFileSync(join(page, name), text);
  const assets = new Assets(page);
  const own = createServer((incoming, response) => void assets.send(incoming, response, (incoming.url ?? '').slice(1)));
  await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void own.close());
  const { port } = own.address() as AddressInfo;
  const of = async (name: string, accepted: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/${name}`, { headers: { 'Accept-Encoding': accepted } });
    const { headers } = response;
    return [headers.get('content-encoding'), Number(headers.get('content-length')) < 200, await response.text()];
  };
  for (const time of ['first', 'next']) {
    expect([time, ...(await of('assets/main-0123abcd.js', 'br, gzip'))]).toEqual([time, 'gzip', true, long]);
  }
  expect(await of('assets/main-0123abcd.js', 'identity')).toEqual([null, false, long]);
  expect(await of('index.html', 'gzip')).toEqual([null, true, '<!doctype html>']);
});
