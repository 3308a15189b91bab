// SPDX-License-Identifier: MIT
// A site that runs, seen by its visitors: the page in Chromium by WebSocket and
// by long-poll, and a message sent over a WebSocket seen by a poll that waits.
// With a command that restarts the responders: no request that comes meanwhile
// may fail.
// usage: visit.mjs URL [COMMAND...]
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ok, is, until, end, post, Client } from '../lib.mjs';
import { chat, launch } from '../lib-page.mjs';

const RESTARTS = 3; // systemd allows five starts in 10 s
const url = process.argv[2].replace(/\/$/, '');
const [command, ...words] = process.argv.slice(3);
const run = Date.now().toString(36); // its accounts stay there
const names = ['ann', 'bob', 'cay', 'dan', 'eve'].map((name) => `${name} ${run}`);

const browser = await launch();
const wrong = await chat(browser, url, names.slice(0, 3)).catch((e) => e.stack);
ok(wrong === '', `${url}: they chat on the page`, wrong);
await browser.close();

const { accessKey, sessionUUID } = (await post(url, 'signIn', { signIn: { username: names[3], password: 'secret123' } })).authorized;
const ask = (type, payload) => post(url, type, { accessKey, sessionUUID, [type]: payload });
let since = (await ask('channelJoin', {})).channelJoin.cursor;
const texts = [];
const text = `from a WebSocket ${run}`;
const polls = until('the poll to have it', async () => {
  const { events } = await ask('events', { wait: 20, since });
  since = events.cursor;
  texts.push(...events.frames.filter((f) => f.type === 'channelMessage').map((f) => f.channelMessage.Message));
  return texts.includes(text);
}, 60000);
const ws = await Client.open(`${url.replace(/^http/, 'ws')}/ws`);
await ws.ask({ type: 'signIn', signIn: { username: names[4], password: 'secret123' } }, 'authorized');
ws.send({ type: 'channelMessage', channelMessage: { message: text } });
await polls;
is(texts.join(), text, 'a message over a WebSocket is seen by a poll, once');

if (command) {
  const came = [];
  let working = true;
  const load = Array.from({ length: 8 }, async () => {
    while (working) came.push(await post(url, 'users', {}).then((r) => r.error?.code, (e) => e.cause?.code ?? String(e)));
  });
  const some = () => {
    const before = came.length;
    return until('load', () => came.length >= before + 50, 60000);
  };
  for (let n = 0; n < RESTARTS; n += 1) {
    await some();
    await promisify(execFile)(command, words);
    await some();
  }
  working = false;
  await Promise.all(load);
  is([...new Set(came)].join(), '4', `${RESTARTS} restarts under load fail none of ${came.length} requests`);
}
await end();
