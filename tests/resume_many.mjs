// SPDX-License-Identifier: MIT
// Resuming beyond what the bridge keeps: from the log in Redis, a part at a time,
// once for all who stand together, while messages flow; and joins that race with
// messages.
import { execFileSync } from 'node:child_process';
import { createConnection } from 'node:net';
import { startRedis, startResponder, startBridge, startNginx, Client, ok, is, until, post, end, work } from './lib.mjs';

const MISSED = 1100;  // more than a ring holds
const CROWD = 200;
const ROUNDS = 50;
const limits = { PALAVER_MESSAGE_RATE: '0', PALAVER_REQUEST_RATE: '0', PALAVER_NOTICE_RATE: '0', PALAVER_ADDRESS_CONNECTIONS: '0', PALAVER_PRESENCE_GRACE: '300' };
await startRedis();
await startResponder('responder', limits);
for (const b of ['b1', 'b2']) await startBridge(b, limits);
const url = await startNginx(['responder'], ['b1']);
const redis = (...args) => execFileSync('redis-cli', ['-s', `${work}/redis.sock`, ...args], { encoding: 'utf8' }).trim();
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const same = (got, wanted, what) => is(JSON.stringify(got), JSON.stringify(wanted), what);
const { accessKey } = (await post(url, 'signIn', { signIn: { username: 'ann', password: 'secret123' } })).authorized;

async function say(n, channel, message = 'x') {
  for (let left = n; left > 0; left -= 25) {
    await Promise.all(Array.from({ length: Math.min(left, 25) }, async () => {
      const r = await post(url, 'channelMessage', { accessKey, channelMessage: { message, channel } });
      if (r.status !== 200) throw new Error(JSON.stringify(r));
    }));
  }
}
async function open(bridge = 'b1') {
  const c = await Client.open(`ws+unix://${work}/${bridge}.sock:/ws`);
  await c.ask({ type: 'signIn', signIn: { accessKey } }, 'authorized');
  return c;
}
async function join(c, channel, since, limit) {
  c.joined = (await c.ask({ type: 'channelJoin', channelJoin: { channel, since, limit } })).channelJoin;
  return c.joined;
}
const live = (c) => c.frames.filter((f) => f.type === 'channelMessage').map((f) => f.channelMessage.seq);
const seqs = (c) => [...c.joined.messages.map((m) => m.seq), ...live(c)];

/** Counts the reads of a log, until stopped. */
async function reads() {
  const socket = createConnection(`${work}/redis.sock`);
  let n = 0;
  let rest = '';
  let on = false;
  socket.on('data', (bytes) => {
    const lines = (rest + bytes).split('\n');
    rest = lines.pop();
    for (const l of lines) n += / "evalsha" .* "c:crowd" "\w*" "\d+" "200" "\d+"/i.test(l);
    on = true;
  });
  socket.write('MONITOR\r\n');
  await until('MONITOR', () => on);
  return () => {
    socket.destroy();
    return n;
  };
}

// More than a ring holds: with nobody in the channel, and with somebody whose
// ring is full; while others talk.
await say(1, 'many');
let c = await open();
const { cursor } = await join(c, 'many');
c.ws.close();
await say(MISSED, 'many');
let sent = MISSED + 1;
const watcher = await open();
await join(watcher, 'many');
for (const [bridge, what] of [['b2', 'a bridge that did not follow the channel'], ['b1', 'a bridge that follows it'], ['b2', 'a bridge that has a ring of it']]) {
  const talk = say(100, 'many');
  sent += 100;
  c = await open(bridge);
  const r = await join(c, 'many', cursor, 3);
  await talk;
  await until('all', () => live(c).at(-1) === sent);
  same([r.recovered, r.more], [true, true], `${MISSED} messages missed, on ${what}`);
  same(seqs(c), range(2, sent), 'all come, in order, once, those that others send meanwhile behind them');
}

// A crowd comes back at once, from several places.
await say(1, 'crowd');
c = await open();
const first = (await join(c, 'crowd')).cursor.split(',')[0];
c.ws.close();
await say(MISSED, 'crowd');
const crowd = await Promise.all(Array.from({ length: CROWD }, () => open()));
let stop = await reads();
let began = Date.now();
await Promise.all(crowd.map((one) => join(one, 'crowd', first, 0)));
await until('all of all', () => crowd.every((one) => live(one).length >= MISSED));
let n = stop();
const PAUSE = 100; // ms until reads begin anew
const parts = Math.ceil(MISSED / 200);
const rounds = () => Math.ceil((Date.now() - began) / PAUSE) + 2;
console.log(`# ${n} reads in ${Date.now() - began} ms for ${CROWD} who missed ${MISSED}; each for himself it would be ${CROWD * parts}`);
ok(crowd.every((one) => seqs(one).join() === range(2, MISSED + 1).join()), `${CROWD} who come back at once get all, in order, once`);
ok(n >= parts && n <= rounds() * parts && n <= CROWD * parts / 4, 'and cost few reads');
for (const one of crowd) one.ws.terminate();
const spread = await Promise.all(Array.from({ length: CROWD }, () => open()));
stop = await reads();
began = Date.now();
await Promise.all(spread.map((one, i) => join(one, 'crowd', first.replace(/\d+$/, 1 + i * 5), 0)));
await until('all of all', () => spread.every((one) => live(one).at(-1) === MISSED + 1));
n = stop();
console.log(`# ${n} reads when each stands elsewhere`);
ok(spread.every((one, i) => seqs(one).join() === range(2 + i * 5, MISSED + 1).join()), 'so do those who stand at different places');
ok(n <= rounds() * parts, 'and they share reads');
for (const one of spread) one.ws.terminate();

// What the log drops while somebody is behind the ring is not passed over.
const PAGES = 700; // of 2 kB: more than a ring and a socket hold
await say(PAGES, 'pages', 'x'.repeat(2000));
c = await open();
const all = (await join(c, 'pages')).cursor.split(',')[0].replace(/\d+$/, '0');
c.ws.close();
c = await open();
c.ws.on('message', (m) => { if (String(m).startsWith('{"type":"channelJoin"')) c.ws._socket.pause(); });
await join(c, 'pages', all, 0);
redis('ltrim', 'palaver:{c:pages}:l', '-3', '-1');
c.ws._socket.resume();
await until('the close', () => c.code);
ok(c.code === 4008 && live(c).length < PAGES && live(c).every((q, i) => q === i + 1), 'the log dropped what one still lacks: 4008, and what he had has no hole', `${c.code} ${live(c)}`);
c = await open();
is((await join(c, 'pages', all, 0)).recovered, false, 'when he comes again it is not recovered');
c.ws.close();

// Joins while messages are sent, each by the cursor of the one before.
let talking = true;
const talk = (async () => {
  let k = 0;
  for (; talking; k += 5) await say(5, 'race');
  return k;
})();
let since;
const seen = [];
for (let k = 0; k < ROUNDS; k += 1) {
  c = await open(k % 2 ? 'b1' : 'b2');
  const r = await join(c, 'race', since, k % 3);
  if (k > 0 && !r.recovered) ok(false, `round ${k} is not recovered`);
  if (k === 0) r.messages.length = 0;
  await until('a message', () => live(c).length > 0);
  c.ws.close();
  await until('the close', () => c.code);
  seen.push(...seqs(c));
  since = c.frames.findLast((f) => f.type === 'channelMessage').cursor;
}
talking = false;
await talk;
ok(seen.length > ROUNDS && seen.every((q, i) => i === 0 || q === seen[i - 1] + 1), `${ROUNDS} joins among messages: none lost, none doubled`, seen.join());
watcher.ws.close();
await end('responder', 'b1', 'b2');
