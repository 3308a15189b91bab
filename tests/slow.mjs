// SPDX-License-Identifier: MIT
// Who does not read costs the bridge a place, not a queue: he gets all when he
// reads on, from the ring or, where that no longer reaches back, from the log;
// others notice nothing.
import { readFileSync } from 'node:fs';
import { startRedis, startResponder, startBridge, startNginx, Client, ok, is, until, post, end, work } from './lib.mjs';

const OTHERS = 200;
const STALLED = 20;
const settings = { PALAVER_MESSAGE_RATE: '0', ASAN_OPTIONS: `detect_leaks=1:quarantine_size_mb=1:log_path=${work}/asan` };
await startRedis();
await startResponder('responder', settings);
const bridge = await startBridge('bridge', settings);
const url = await startNginx(['responder'], ['bridge']);
const { accessKey } = (await post(url, 'signIn', { signIn: { username: 'ann', password: 'secret123' } })).authorized;
const direct = `ws+unix://${work}/bridge.sock:/ws`;
async function enter() {
  const c = await Client.open(direct);
  await c.ask({ type: 'signIn', signIn: { accessKey } }, 'authorized');
  await c.ask({ type: 'channelJoin', channelJoin: { limit: 0 } });
  return c;
}
const others = [];
for (let n = 0; n < OTHERS; n += 20) others.push(...await Promise.all(Array.from({ length: 20 }, enter)));
const seqs = (c) => c.frames.filter((f) => f.type === 'channelMessage').map((f) => f.channelMessage.seq);
const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${bridge.pid}/status`, 'utf8'))[1]);
let sent = 0;
/** n messages of 4 kB, then until all others have them; ms each took. */
async function talk(n) {
  const took = [];
  for (let k = 0; k < n; k += 1) {
    const begin = process.hrtime.bigint();
    const r = await post(url, 'channelMessage', { accessKey, channelMessage: { message: 'x'.repeat(4000) } });
    if (r.status !== 200) throw new Error(JSON.stringify(r.error));
    sent += 1;
    await until('the others', () => others[0].frames.length && seqs(others[0]).at(-1) === sent);
    took.push(Number(process.hrtime.bigint() - begin) / 1e6);
  }
  await until('all of the others', () => others.every((c) => seqs(c).length === sent));
  return took.sort((a, b) => a - b);
}
const p95 = (all) => all[Math.floor(all.length * 0.95)];
const alone = p95(await talk(60));

// One stalls for a while: he gets all, in order, once.
const short = await enter();
const from = sent;
short.ws._socket.pause();
const beside = p95(await talk(120));
short.ws._socket.resume();
await until('what was missed', () => seqs(short).length === sent - from);
is(seqs(short).join(), Array.from({ length: sent - from }, (_, n) => from + 1 + n).join(), 'who reads on gets all, in order, once');
ok(beside < alone * 5 + 20, 'the others notice nothing', `p95 ${alone.toFixed(1)} ms alone, ${beside.toFixed(1)} ms beside`);

// Many stall for long: the ring goes on without them.
const stalled = await Promise.all(Array.from({ length: STALLED }, enter));
for (const c of stalled) c.ws._socket.pause();
const before = rss();
const begun = sent;
await talk(330); // more than the ring holds
const grown = rss() - before;
console.log(`# ${grown} kB more for ${STALLED} who stall`);
ok(grown < STALLED * 400 + 4096, 'what is held for them is bounded', `${grown} kB more for ${STALLED}`);
for (const c of stalled) c.ws._socket.resume();
await until('what they missed', () => stalled.every((c) => seqs(c).at(-1) === sent));
ok(stalled.every((c) => seqs(c).join() === Array.from({ length: sent - begun }, (_, n) => begun + 1 + n).join()), 'who reads on gets all, in order, once, though the ring does not reach back');
is(stalled.filter((c) => c.code).length, 0, 'and nobody is closed');
ok(others.every((c) => c.code === 0 && seqs(c).every((q, i) => q === i + 1)), 'the others had all, in order');
for (const c of [...others, short]) c.ws.terminate();
await end('responder', 'bridge');
