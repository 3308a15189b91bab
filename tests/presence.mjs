// SPDX-License-Identifier: MIT
// Presence and membership under chaos, compared with the truth: three bridges
// (two of them killed, frozen and started again), two responders, sessions by
// WebSocket and HTTP that come, go, join and leave at random, and a Redis that
// stalls, or drops its connections, so that nobody knows what was done.
// usage: PALAVER_SEED=N PALAVER_SECONDS=N tests/run --no-install tests/presence.mjs
import { execFileSync } from 'node:child_process';
import WebSocket from 'ws';
import { startRedis, startResponder, startBridge, startNginx, stop, signal, ok, is, until, post, end, work } from './lib.mjs';

const SEED = Number(process.env.PALAVER_SEED) || Date.now() % 1000000;
const SECONDS = Number(process.env.PALAVER_SECONDS) || 60;
const USERS = 24;
const WORKERS = 36;
const CHECKS = 3;
const LEASE = 1500;
const GRACE = 1000;
const HTTP_LEASE = 3000;
const CHANNELS = [{ recipientUUID: '' }, { channel: 'x' }, { channel: 'y' }];
const settings = {
  PALAVER_PRESENCE_LEASE: LEASE, PALAVER_PRESENCE_GRACE: GRACE, PALAVER_SESSION_LEASE: HTTP_LEASE, PALAVER_NOTICE_RATE: '0',
  PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_SIGN_UP_RATE: '0', PALAVER_REQUEST_RATE: '0', PALAVER_CONNECTION_RATE: '0',
};

console.log(`# seed ${SEED}`);
let state = SEED;
/** mulberry32 */
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
/** Compares sets of UUIDs; says only what differs. */
function same(got, wanted, what) {
  const a = new Set(got);
  const b = new Set(wanted);
  const over = [...a].filter((u) => !b.has(u)).slice(0, 5);
  const lack = [...b].filter((u) => !a.has(u)).slice(0, 5);
  ok(over.length + lack.length === 0, what, `too many: ${over.join()}; missing: ${lack.join()}`);
}
const pick = (list) => list[Math.floor(random() * list.length)];
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

await startRedis();
for (const r of ['r1', 'r2']) await startResponder(r, settings);
const bridges = ['b0', 'b1', 'b2'];
const up = new Set();
for (const b of bridges) {
  await startBridge(b, settings);
  up.add(b);
}
const url = await startNginx(['r1', 'r2'], ['b0']);

// ---- sessions ----

const living = new Set(); // all that should be counted
const done = {};
let errors = 0;
const count = (what) => { done[what] = (done[what] ?? 0) + 1; };
const redis = (...args) => execFileSync('redis-cli', ['-s', `${work}/redis.sock`, ...args], { encoding: 'utf8' });
const scopeOf = (user, c) => c.channel ? `c:${c.channel}` : c.recipientUUID ? `p:${[user, c.recipientUUID].sort().join(':')}` : 'g';

class Socket {
  user = null;
  channels = new Map(); // scope -> payload
  frames = [];
  #waiting = new Map();
  #id = 0;
  constructor(bridge) {
    this.bridge = bridge;
    this.ws = new WebSocket(`ws+unix://${work}/${bridge}.sock:/ws`, { perMessageDeflate: false });
    this.ready = new Promise((resolve) => {
      this.gone = new Promise((gone) => {
        this.ws.on('message', (m) => {
          const f = JSON.parse(m);
          if (f.type === 'ready') resolve(true);
          if (this.keep) this.frames.push(f);
          this.#waiting.get(f.id)?.(f);
          this.#waiting.delete(f.id);
        });
        this.ws.on('close', (code) => {
          this.code = code;
          living.delete(this);
          this.user = null;
          resolve(false);
          for (const cb of this.#waiting.values()) cb({ type: 'closed' });
          this.#waiting.clear();
          gone();
        });
        this.ws.on('error', () => {});
      });
    });
  }
  ask(type, payload) {
    if (this.ws.readyState !== WebSocket.OPEN) return { type: 'closed' };
    const id = String(++this.#id);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no reply to ${type} from ${this.bridge}`)), 20000);
      this.#waiting.set(id, (f) => {
        clearTimeout(timer);
        if (f.type === 'error') {
          errors += 1;
          count(`error ${f.error.code} to ${type}`);
        }
        resolve(f);
      });
      this.ws.send(JSON.stringify({ type, id, [type]: payload }));
    });
  }
  async signIn(user) {
    const f = await this.ask('signIn', user.credentials());
    if (f.type !== 'authorized' || this.ws.readyState !== WebSocket.OPEN) return false;
    this.user = user.uuid;
    this.channels.clear();
    living.add(this);
    return true;
  }
  async signOut() {
    if ((await this.ask('signOut')).type !== 'signOut') return;
    living.delete(this);
    this.user = null;
    this.channels.clear();
  }
}

class Http {
  channels = new Map();
  async ask(type, payload) {
    const f = await post(url, type, { sessionUUID: this.session, accessKey: this.key, [type]: payload });
    if (f.type === 'error') {
      errors += 1;
      count(`error ${f.error.code} to ${type}`);
      if (f.error.code === 4) living.delete(this); // the key was pushed out
      // Nobody knows whether it was done: it is done once more.
      if (f.error.code === 20 && type !== 'signIn') return this.ask(type, payload);
    }
    return f;
  }
  async signIn(user) {
    const f = await this.ask('signIn', user.credentials());
    if (f.type !== 'authorized') return false;
    this.session = f.authorized.sessionUUID;
    this.key = f.authorized.accessKey;
    this.user = user.uuid;
    living.add(this);
    return true;
  }
  async signOut() {
    if ((await this.ask('signOut')).type === 'signOut') living.delete(this);
  }
  /** Renews the lease. */
  touch() {
    return this.ask('channelLeave', { channel: 'nowhere' });
  }
}

async function join(s, c) {
  if ((await s.ask('channelJoin', c)).type === 'channelJoin' && s.user) s.channels.set(scopeOf(s.user, c), c);
}
async function leave(s, c) {
  if ((await s.ask('channelLeave', c)).type === 'channelLeave' && s.user) s.channels.delete(scopeOf(s.user, c));
}

const users = await Promise.all(Array.from({ length: USERS }, async (_, n) => {
  const password = { username: `user${n}`, password: 'secret123' };
  const { authorized } = await post(url, 'signUp', { signUp: password });
  await post(url, 'signOut', { sessionUUID: authorized.sessionUUID, accessKey: authorized.accessKey });
  return { uuid: authorized.userUUID, credentials: () => password };
}));

// The observer stays, on the bridge that stays, in every channel.
const observer = new Socket('b0');
observer.keep = true;
await observer.ready;
await observer.signIn({ uuid: 'observer', credentials: () => ({ username: 'observer', password: 'secret123' }) });
for (const c of CHANNELS) await join(observer, c);
observer.frames.length = 0;
living.delete(observer);

// ---- what is observed ----

/** What went wrong with signIn/signOut and join/leave, which must alternate; and who is where by what was told. */
function observed(frames) {
  const wrong = [];
  const online = new Set();
  const inside = new Map(CHANNELS.map((c) => [scopeOf('', c), new Set()]));
  const turn = (set, who, comes, what) => {
    if (set.has(who) === comes) wrong.push(`${what} of ${who} twice`);
    if (comes) set.add(who);
    else set.delete(who);
  };
  for (const f of frames) {
    if (f.userUUID === observer.uuid) continue;
    const kind = f.type === 'sys' ? f.sys.type : f.type;
    if (kind === 'signIn' || kind === 'signOut') turn(online, f.sys[kind].uuid, kind === 'signIn', kind);
    if (kind === 'channelJoin' && f.type === 'sys') turn(inside.get(scopeOf('', f.sys.channelJoin)), f.userUUID, true, kind);
    if (kind === 'channelLeave') turn(inside.get(scopeOf('', f.channelLeave)), f.userUUID, false, kind);
  }
  return { wrong, online, inside };
}

// ---- truth ----

function truth() {
  const online = {};
  const inside = {};
  for (const s of living) {
    online[s.user] = (online[s.user] ?? 0) + 1;
    for (const scope of s.channels.keys()) {
      inside[scope] ??= {};
      inside[scope][s.user] = (inside[scope][s.user] ?? 0) + 1;
    }
  }
  return { online, inside, sessions: living.size };
}

const LOOK = `local out = { online = {}, inside = {}, sessions = 0, left = {} }
local function hash(key, to)
	local v = redis.call('HGETALL', key)
	for i = 1, #v, 2 do to[v[i]] = tonumber(v[i + 1]) end
end
hash('palaver:{sys}:online', out.online)
for _, k in ipairs(redis.call('KEYS', 'palaver:{*}:in')) do
	local scope = k:match('{(.*)}')
	out.inside[scope] = {}
	hash(k, out.inside[scope])
end
for _, k in ipairs(redis.call('KEYS', 'palaver:{sys}:s:*')) do
	if redis.call('HEXISTS', k, 'u') == 1 then out.sessions = out.sessions + 1 end
end
for _, k in ipairs({ 'due', 'dead' }) do
	if redis.call('ZCARD', 'palaver:{sys}:' .. k) > 0 then out.left[#out.left + 1] = k end
end
out.leases = redis.call('ZCARD', 'palaver:{sys}:leases')
return cjson.encode(out)`;

/** What Redis counts otherwise than the truth is, as text. */
function differences() {
  const is = JSON.parse(redis('EVAL', LOOK, '0'));
  const { online, inside, sessions } = truth();
  const out = [];
  const compare = (what, got, wanted) => {
    for (const who of new Set([...Object.keys(got), ...Object.keys(wanted)])) {
      if (who === observer.uuid) continue;
      if (got[who] !== wanted[who]) out.push(`${what} ${who}: ${got[who]} for ${wanted[who]}`);
    }
  };
  compare('on line', is.online, online);
  for (const scope of new Set([...Object.keys(is.inside), ...Object.keys(inside)])) compare(scope, is.inside[scope] ?? {}, inside[scope] ?? {});
  if (is.sessions !== sessions + 1) out.push(`${is.sessions} sessions for ${sessions + 1}`);
  for (const k of Array.isArray(is.left) ? is.left : []) out.push(`${k} is not empty`);
  if (is.leases !== bridges.length) out.push(`${is.leases} leases for ${bridges.length}`);
  return out;
}

// ---- chaos ----

let ends = Infinity;
let paused = false;
let resume = () => {};
let resumed = Promise.resolve();
let held = 0;
async function hold() {
  held += 1;
  await resumed;
  held -= 1;
}
const going = () => Date.now() < ends;

const anywhere = (user) => (random() < 0.2 ? { recipientUUID: pick(users).uuid } : pick(CHANNELS)) ?? user;

async function step(s) {
  const r = random();
  if (r < 0.45) await join(s, anywhere());
  else if (r < 0.7) await leave(s, s.channels.size > 0 && random() < 0.8 ? pick([...s.channels.values()]) : anywhere());
  else if (r < 0.78 && s.ws) await s.signIn(pick(users)); // replaces the user
  else if (r < 0.84 && s.ws) {
    await s.signOut();
    await s.signIn(pick(users));
  } else await sleep(random() * 200);
}

/** Ends it in one of several ways, some of them in the middle of something. */
async function finish(s) {
  const r = random();
  if (!s.ws) {
    count('HTTP ended');
    if (r < 0.6) await s.signOut();
    else living.delete(s); // never asks again
    return;
  }
  if (r < 0.3) await s.signOut();
  else if (r < 0.45) s.ask('channelJoin', anywhere());
  else if (r < 0.55) s.ask('signIn', pick(users).credentials());
  else if (r < 0.65) s.ask('signOut');
  else if (r < 0.7) s.ask('channelLeave', anywhere());
  living.delete(s);
  if (random() < 0.5) s.ws.terminate();
  else s.ws.close();
  await s.gone;
}

async function worker() {
  while (going()) {
    const http = random() < 0.3;
    const s = http ? new Http() : new Socket(pick([...up]));
    if (!http && !(await s.ready)) {
      await sleep(50);
      continue;
    }
    count(http ? 'HTTP sessions' : 'WebSockets');
    await s.signIn(pick(users));
    for (let n = Math.floor(random() * 12); n > 0 && (http ? living.has(s) : !s.code); n -= 1) {
      if (paused) await hold();
      await step(s);
    }
    if (paused) await hold();
    if (http ? living.has(s) : !s.code) await finish(s);
  }
}

/** Kills, freezes and restarts two of the bridges. */
async function reaper(name) {
  while (going()) {
    await sleep(1500 + random() * 4000);
    if (paused) await hold();
    if (!going()) break;
    if (random() < 0.6) {
      count('bridges killed');
      up.delete(name);
      await stop(name, 'SIGKILL');
      await sleep(random() * 1500);
      await startBridge(name, settings);
      up.add(name);
    } else {
      count('bridges frozen');
      signal(name, 'SIGSTOP');
      await sleep(random() < 0.5 ? LEASE / 2 : LEASE + GRACE + 1500);
      signal(name, 'SIGCONT');
    }
  }
}

/** Redis drops its connections, or stalls until requests give up. */
async function disturber() {
  while (going()) {
    await sleep(4000 + random() * 6000);
    if (paused) await hold();
    if (!going()) break;
    if (random() < 0.5) {
      count('connections dropped');
      redis('CLIENT', 'KILL', 'TYPE', random() < 0.7 ? 'normal' : 'pubsub');
    } else {
      count('stalls of Redis');
      signal('redis', 'SIGSTOP');
      await sleep(2300 + random() * 1000);
      signal('redis', 'SIGCONT');
    }
  }
}

// HTTP sessions that live are asked for before their lease ends.
const touching = setInterval(() => {
  for (const s of living) if (!s.ws) s.touch();
}, HTTP_LEASE / 3);

const SETTLE = LEASE * 2 + GRACE + HTTP_LEASE + 5000; // ms until all must be counted
async function check(when) {
  let found = [];
  const until = Date.now() + SETTLE;
  do {
    await sleep(100);
    found = differences();
  } while (found.length > 0 && Date.now() < until);
  is(found.slice(0, 8).join('; '), '', `${when}: counts are those of ${living.size} sessions (D27, D35, D37)`);
  const { online, inside } = truth();
  const list = (await observer.ask('users', { online: true, limit: 1000 })).users;
  const wanted = [...Object.keys(online), observer.uuid];
  same(list.users.map((u) => u.UUID), wanted, `${when}: users { online }: ${list.total}`);
  ok(list.users.every((u) => u.OnLine), `${when}: all of them OnLine`);
  const everybody = (await observer.ask('users', { limit: 1000 })).users;
  same(everybody.users.filter((u) => u.OnLine).map((u) => u.UUID), wanted, `${when}: OnLine among all ${everybody.total}`);
  for (const c of CHANNELS) {
    const scope = scopeOf('', c);
    const joined = (await observer.ask('channelJoin', c)).channelJoin;
    same(joined.users.map((u) => u.UUID), [...Object.keys(inside[scope] ?? {}), observer.uuid], `${when}: channelJoin's users of ${scope}: ${joined.total}`);
  }
  await sleep(100);
  const told = observed(observer.frames);
  is(told.wrong.slice(0, 5).join('; '), '', `${when}: ${observer.frames.length} notices alternate for everybody (D36)`);
  same(told.online, Object.keys(online), `${when}: who was told to be on line is`);
  for (const c of CHANNELS) {
    const scope = scopeOf('', c);
    same(told.inside.get(scope), Object.keys(inside[scope] ?? {}), `${when}: who was told to be in ${scope} is`);
  }
}

observer.uuid = (await observer.ask('users', { online: true })).users.users.find((u) => u.Username === 'observer').UUID;
ends = Date.now() + SECONDS * 1000;
const all = [...Array.from({ length: WORKERS }, worker), ...['b1', 'b2'].map(reaper), disturber()];
for (let n = 1; n < CHECKS; n += 1) {
  await sleep(SECONDS * 1000 / CHECKS);
  paused = true;
  resumed = new Promise((r) => { resume = r; });
  const before = Date.now();
  await until('all to hold', () => held === all.length, 30000);
  await check(`checkpoint ${n}`);
  ends += Date.now() - before;
  paused = false;
  resume();
}
await Promise.all(all);
await check('at the end');
console.log(`# ${Object.entries(done).map(([k, v]) => `${k}: ${v}`).join(', ')}`);
ok(done['bridges killed'] > 0, `${done['bridges killed']} bridges were killed, ${done['bridges frozen'] ?? 0} frozen`);

// The checker sees what is wrong.
redis('HINCRBY', 'palaver:{sys}:online', users[0].uuid, '1');
redis('HINCRBY', 'palaver:{g}:in', users[1].uuid, '1');
const seen = differences();
ok(seen.some((d) => d.includes(users[0].uuid)) && seen.some((d) => d.startsWith('g ')), 'the checker sees a count that was broken');
const fake = (uuid) => ({ type: 'sys', sys: { type: 'signIn', signIn: { uuid } } });
is(observed([fake('a'), fake('b'), fake('a')]).wrong.length, 1, 'and a notice that came twice');

clearInterval(touching);
observer.ws.terminate();
for (const s of living) s.ws?.terminate();
await end('r1', 'r2', ...bridges);
