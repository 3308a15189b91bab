// SPDX-License-Identifier: MIT
// The last events of all channels together are bounded in bytes, and who reads
// loses nothing by it.
import { readFileSync } from 'node:fs';
import { startRedis, startBridge, Client, ok, is, until, end, work } from './lib.mjs';

const CHANNELS = 100;
const ROUNDS = 40;
const SENDERS = 10;
const LONG = '€'.repeat(4000); // 12 kB
const settings = { PALAVER_MESSAGE_RATE: '0', ASAN_OPTIONS: `detect_leaks=1:quarantine_size_mb=1:log_path=${work}/asan` };
await startRedis();
const small = await startBridge('small', { ...settings, PALAVER_RING_MEMORY: String(2 * 1024 * 1024) });
const rss = (child) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]);
async function enter(username, ...channels) {
  const c = await Client.open(`ws+unix://${work}/small.sock:/ws`);
  await c.ask({ type: 'signIn', signIn: { username, password: 'secret123' } }, 'authorized');
  for (const channel of channels) await c.ask({ type: 'channelJoin', channelJoin: { channel, limit: 0 } });
  return c;
}
const seqs = (c, channel) => c.frames.filter((f) => f.type === 'channelMessage' && f.channelMessage.channel === channel).map((f) => f.channelMessage.seq);

const names = Array.from({ length: CHANNELS }, (_, n) => `c${n}`);
const readers = [];
while (readers.length < CHANNELS) readers.push(...await Promise.all(names.slice(readers.length, readers.length + 10).map((c, n) => enter(`reader${readers.length + n}`, c))));
// One is in many of them.
const broad = await enter('broad', ...names.slice(0, 60));
const senders = await Promise.all(Array.from({ length: SENDERS }, (_, n) => enter(`sender${n}`)));
let sent = 0;
/** To each channel so many messages, ten at once. */
async function talk(rounds) {
  await Promise.all(senders.map(async (s, k) => {
    for (let r = 0; r < rounds; r += 1) {
      for (let n = k; n < CHANNELS; n += SENDERS) await s.ask({ type: 'channelMessage', id: 'm', channelMessage: { channel: names[n], message: LONG } }, 'ack');
      s.frames.length = s.raw.length = 0;
      s.skip();
    }
  }));
  sent += rounds;
  await until('all', () => readers.every((c, n) => seqs(c, names[n]).length === sent));
}
await talk(2);
const before = rss(small);
await talk(ROUNDS);
const grown = rss(small) - before;
console.log(`# ${grown} kB more for ${Math.round(ROUNDS * CHANNELS * 12000 / 1024)} kB of messages`);
ok(grown < 12 * 1024, 'what the rings hold is bounded in all', `${grown} kB more`);
const whole = Array.from({ length: sent }, (_, n) => n + 1).join();
is(readers.filter((c, n) => seqs(c, names[n]).join() !== whole).length, 0, 'each reader has all, in order, once');
await until('one who is in many', () => names.slice(0, 60).every((c) => seqs(broad, c).length === sent));
is(names.slice(0, 60).filter((c) => seqs(broad, c).join() !== whole).length, 0, 'and so has one who is in many');
is([...readers, broad, ...senders].filter((c) => c.code).length, 0, 'nobody is closed');

// A channel whose ring was given up goes on.
const again = await enter('again', names[0]);
await senders[0].ask({ type: 'channelMessage', id: 'm', channelMessage: { channel: names[0], message: 'on' } }, 'ack');
is((await again.next('channelMessage')).channelMessage.seq, sent + 1, 'who comes later follows from his place on');
for (const c of [...readers, broad, ...senders, again]) c.ws.terminate();
await end('small');
