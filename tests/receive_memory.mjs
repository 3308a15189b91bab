// SPDX-License-Identifier: MIT
// What is held of messages that never end is bounded in all: whose bytes have
// been there longest goes first, and others notice nothing.
import { readFileSync } from 'node:fs';
import { startRedis, startBridge, Client, ok, is, until, end, work } from './lib.mjs';
import { Wire, frame, TEXT } from './wire.mjs';

const HOLDERS = 100;
const HELD = 40000; // bytes that each begins to send, of 60000
const MEMORY = 1024 * 1024;
const MOST = Math.floor(MEMORY / HELD); // who stay, at most

await startRedis();
const bridge = await startBridge('bridge', { PALAVER_RECEIVE_MEMORY: String(MEMORY), PALAVER_REQUEST_RATE: '0' });
const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${bridge.pid}/status`, 'utf8'))[1]);
const message = frame(TEXT, 'x'.repeat(60000));

const honest = await Client.open(`ws+unix://${work}/bridge.sock:/ws`);
await honest.ask({ type: 'signIn', signIn: { username: 'ann', password: 'a password' } }, 'authorized');
const holders = [];
for (let n = 0; n < HOLDERS; n += 1) holders.push(await Wire.open(`${work}/bridge.sock`));
const before = rss();
for (const w of holders) {
  w.send(message.subarray(0, HELD));
  await until('it to be sent', () => w.socket.writableLength === 0 || w.ended);
}
await until('the oldest to go', () => holders.filter((w) => !w.ended).length <= MOST);
const stay = holders.findIndex((w) => !w.ended);
ok(holders.slice(stay).every((w) => !w.ended), 'whose bytes have been there longest goes first');
ok(HOLDERS - stay > MOST / 4, 'those who have room stay', `${HOLDERS - stay} of ${HOLDERS}`);
const codes = holders.slice(0, stay).map((w) => (w.frames.length ? w.frames[0].data.readUInt16BE(0) : 0));
ok(codes.every((c) => c === 1013 || c === 0), 'with 1013, or cut off', codes.join());
console.log(`# ${rss() - before} kB more for ${HOLDERS} who began ${HELD} bytes each`);

honest.send({ type: 'channelMessage', id: 'a', channelMessage: { message: '€'.repeat(4096) } });
is((await honest.next('ack')).type, 'ack', 'others notice nothing');
holders.at(-1).send(message.subarray(HELD));
await holders.at(-1).until('an answer', () => holders.at(-1).frames.length);
ok(String(holders.at(-1).frames[0]?.data).includes('"code":1'), 'a message that does end is taken');
for (const w of holders) w.drop();
for (let n = 0; n < 50; n += 1) {
  const { error } = await honest.ask({ type: 'channelMessage', id: `${n}`, channelMessage: { message: 'x'.repeat(60000) } }, 'error');
  if (error.code !== 3) throw new Error(JSON.stringify(error));
}
ok(!honest.code, 'and one who sends much, but ends it, is never one of them');
await end('bridge');
