// SPDX-License-Identifier: MIT
// Those who do not read among a thousand who do: the others get theirs as soon
// as without them, the bridge's memory is bounded, and each is resumed when he
// reads on or closed with 4008. Those who ask for much and do not read are
// dropped, and their bytes are gone.
import { readFileSync } from 'node:fs';
import { startRedis, startResponder, startBridge, startNginx, Client, ok, is, until, post, end, work } from './lib.mjs';

const OTHERS = 1000;
const STALLED = 200;
const SHORT = STALLED / 2; // of them read on
const ROUNDS = 9;
const MESSAGES = 20;       // of each
const NOISE = 5;           // ms
const SENT_MEMORY = 16 * 1024; // kB
const settings = {
  PALAVER_PING_AFTER: '600000', PALAVER_DEAD_AFTER: '700000', // the others answer no ping
  PALAVER_MESSAGE_RATE: '0', PALAVER_LOG_LEVEL: 'debug', PALAVER_SEND_MEMORY: String(SENT_MEMORY * 1024),
  ASAN_OPTIONS: `detect_leaks=1:quarantine_size_mb=1:log_path=${work}/asan`,
};
await startRedis();
await startResponder('responder', settings);
await startBridge('calm', settings);
const bridge = await startBridge('bridge', settings);
const url = await startNginx(['responder'], ['bridge']);
const accessKey = await post(url, 'signIn', { signIn: { username: 'ann', password: 'secret123' } }).then((r) => r.authorized.accessKey);
const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${bridge.pid}/status`, 'utf8'))[1]);
const now = () => Number(process.hrtime.bigint()) / 1e6;
async function enter(name, channel) {
  const c = await Client.open(`ws+unix://${work}/${name}.sock:/ws`);
  await c.ask({ type: 'signIn', signIn: { accessKey } }, 'authorized');
  await c.ask({ type: 'channelJoin', channelJoin: { channel, limit: 0 } });
  return c;
}
async function crowd(n, name, channel) {
  const all = [];
  while (all.length < n) all.push(...await Promise.all(Array.from({ length: Math.min(50, n - all.length) }, () => enter(name, channel))));
  return all;
}
const seqs = (c) => c.frames.filter((f) => f.type === 'channelMessage').map((f) => f.channelMessage.seq);

/** A thousand who read, at one bridge. What they get is looked at as it arrives, without a library between. */
async function thousand(name) {
  const it = { speaker: await enter(name, 'elsewhere'), sent: 0, gone: 0, missing: 0, took: [], mark: '<0>' };
  for (const c of await crowd(OTHERS, name, name)) {
    const socket = c.ws._socket;
    socket.removeAllListeners('data');
    socket.on('data', (bytes) => {
      if (!bytes.includes(it.mark)) return;
      it.missing -= 1;
      it.took.push(now() - it.begun);
    });
    socket.on('end', () => { it.gone += 1; });
  }
  it.say = async (text) => {
    it.sent += 1;
    it.mark = `<${it.sent}>`;
    it.missing = OTHERS;
    it.begun = now();
    it.speaker.send({ type: 'channelMessage', channelMessage: { channel: name, message: `${it.mark}${text}` } });
    while (it.missing > 0) {
      await new Promise((r) => setImmediate(r));
      if (it.gone || now() - it.begun > 20000) throw new Error(`${it.missing} of ${name} have not got it, ${it.gone} are gone`);
    }
  };
  return it;
}
const [calm, full] = [await thousand('calm'), await thousand('bridge')];
const stalled = await crowd(STALLED, 'bridge', 'bridge');
for (const c of stalled) c.ws._socket.pause();
const before = rss();
// Until their sockets are full.
for (let n = 0; n < 70; n += 1) await full.say('x'.repeat(4000));

// The 99th percentile of the ms from sending to arriving over all others, with
// and without in turn: this machine does other things as well.
const p99 = [[], []];
for (let r = 0; r < ROUNDS; r += 1) {
  calm.took = [];
  full.took = [];
  for (let n = 0; n < MESSAGES; n += 1) {
    await calm.say('x'.repeat(400));
    await full.say('x'.repeat(400));
  }
  for (const [k, { took }] of [calm, full].entries()) p99[k].push(took.sort((a, b) => a - b)[Math.floor(took.length * 0.99)]);
}
const [without, beside] = p99.map((all) => all.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]);
const grown = rss() - before;
const shown = `${without.toFixed(1)} ms without, ${beside.toFixed(1)} ms beside ${STALLED} who stall`;
console.log(`# p99 ${shown}; ${grown} kB more for them`);
ok(beside <= without * 1.25 + NOISE, `p99 of ${OTHERS} others is what it is without`, shown);
ok(grown < STALLED * 40 + 4096, 'little is held for them', `${grown} kB for ${STALLED}`);

// Half of them read on.
for (const c of stalled.slice(0, SHORT)) c.ws._socket.resume();
const whole = Array.from({ length: full.sent }, (_, n) => 1 + n).join();
const settledOne = (c) => c.code || seqs(c).length === full.sent;
await until('those who read on', () => stalled.slice(0, SHORT).every(settledOne));
is(stalled.slice(0, SHORT).filter((c) => (c.code ? c.code !== 4008 : seqs(c).join() !== whole)).length, 0, 'each who reads on gets all, in order, once, or 4008');
ok(stalled.slice(0, SHORT).every((c) => seqs(c).every((q, n) => q === n + 1)), 'what he had before it has no hole');
const resumed = stalled.slice(0, SHORT).filter((c) => !c.code).length;
console.log(`# ${resumed} of ${SHORT} were resumed`);
is(resumed, SHORT, 'nobody was that far behind');

// The others are closed after a while; it arrives when they read.
const closings = () => (readFileSync(`${work}/bridge.log`, 'utf8').match(/signed in -> closing/g) ?? []).length;
await until('the closes', () => closings() >= STALLED - SHORT, 40000);
for (const c of stalled.slice(SHORT)) c.ws._socket.resume();
await until('their arrival', () => stalled.slice(SHORT).every((c) => c.code));
is(stalled.slice(SHORT).filter((c) => c.code !== 4008).length, 0, 'each who reads too late gets 4008');
for (const c of stalled) c.ws.terminate();

// They ask for much and do not read: beyond send_memory they are dropped.
for (let n = 0; n < 60; n += 1) await post(url, 'channelMessage', { accessKey, channelMessage: { channel: 'big', message: '€'.repeat(4096) } });
const greedy = await Promise.all(Array.from({ length: STALLED }, () => enter('bridge', 'elsewhere')));
const idle = rss();
for (const [n, c] of greedy.entries()) {
  c.ws._socket.pause();
  c.send({ type: 'channelMessages', channelMessages: { channel: 'big', limit: 60 } });
  if (n % 10 === 9) await full.speaker.ask({ type: 'channels' }); // its answer comes behind theirs
}
await until('the closes', () => closings() >= STALLED - SHORT + STALLED - Math.ceil(SENT_MEMORY / 700));
const held = rss() - idle;
console.log(`# ${held} kB more for ${STALLED} who ask for ${60 * 12} kB each`);
ok(held < SENT_MEMORY + 8 * 1024, 'what waits is bounded in all, what was dropped is gone', `${held} kB more`);
is(greedy.filter((c) => c.code).length, 0, 'nobody has read yet');
for (const c of greedy) c.ws._socket.resume();
await until('the ends', () => greedy.every((c) => c.code || c.frames.some((f) => f.type === 'channelMessages')));
ok(greedy.filter((c) => c.code === 0).length >= 5, 'those who have room get all', `${greedy.filter((c) => c.code === 0).length}`);
is(greedy.filter((c) => ![0, 1006, 4008].includes(c.code)).length, 0, 'the others are closed');
await full.say('still there');
is(full.gone, 0, 'the thousand are there to the last');
await end('responder', 'calm', 'bridge');
