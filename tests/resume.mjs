// SPDX-License-Identifier: MIT
// Resuming by cursor: signIn and channelJoin with since, on a WebSocket and over
// HTTP, at every boundary of a log.
import { execFileSync } from 'node:child_process';
import { startRedis, startResponder, startBridge, startNginx, stop, Client, ok, is, until, post, end, work } from './lib.mjs';

const limits = { PALAVER_MESSAGE_RATE: '0', PALAVER_REQUEST_RATE: '0', PALAVER_NOTICE_RATE: '0', PALAVER_PRESENCE_GRACE: '300' };
await startRedis();
await startResponder('responder', limits);
for (const b of ['b1', 'b2']) await startBridge(b, limits);
const url = await startNginx(['responder'], ['b1']);
const redis = (...args) => execFileSync('redis-cli', ['-s', `${work}/redis.sock`, ...args], { encoding: 'utf8' }).trim();
const same = (got, wanted, what) => is(JSON.stringify(got), JSON.stringify(wanted), what);
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

const users = {};
for (const username of ['ann', 'bob', 'carol']) users[username] = (await post(url, 'signIn', { signIn: { username, password: 'secret123' } })).authorized;
const { ann, bob, carol } = users;

/** Sends n messages to a channel, some at a time. */
async function say(n, to = {}, by = bob) {
  for (let left = n; left > 0; left -= 25) {
    await Promise.all(Array.from({ length: Math.min(left, 25) }, async () => {
      const r = await post(url, 'channelMessage', { accessKey: by.accessKey, channelMessage: { message: 'x', ...to } });
      if (r.status !== 200) throw new Error(JSON.stringify(r));
    }));
  }
}

/** A session on a bridge, which knows the latest cursor of each scope. */
class Session {
  static async open(user, since, bridge = 'b1') {
    const s = new Session();
    s.c = await Client.open(`ws+unix://${work}/${bridge}.sock:/ws`);
    s.authorized = (await s.c.ask({ type: 'signIn', signIn: { accessKey: user.accessKey, since } }, 'authorized')).authorized;
    return s;
  }
  async join(since, more = {}) {
    const id = `join ${this.c.frames.length}`;
    this.c.send({ type: 'channelJoin', id, channelJoin: { since, ...more } });
    const r = await until('the reply', () => this.c.frames.find((f) => f.id === id));
    this.joined = r.channelJoin;
    return r.channelJoin ?? r.error;
  }
  /** seqs of the channel's messages: those of the last join's reply, then those that came as frames. */
  seqs(channel = '') {
    return [...(this.joined?.messages ?? []), ...this.live(channel)].map((m) => m.seq);
  }
  live(channel = '') {
    return this.c.frames.filter((f) => f.type === 'channelMessage' && f.channelMessage.channel === channel).map((f) => f.channelMessage);
  }
  cursors() {
    const of = new Map();
    for (const f of this.c.frames) {
      for (const cursor of [f.cursor, f.authorized?.cursor, f.channelJoin?.cursor].flatMap((all) => all?.split(',') ?? [])) of.set(cursor.split(':').slice(0, -2).join(':'), cursor);
    }
    return [...of.values()];
  }
  async leave() {
    this.c.ws.close();
    await until('the close', () => this.c.code);
    return this.cursors();
  }
}
/** Ann follows the channel until its message seq, and is gone. What she knows then. */
async function leaves(channel, seq) {
  const s = await Session.open(ann);
  await s.join(undefined, { channel });
  await until('the messages', () => s.joined.messages.length === 0 ? seq === 0 : s.seqs(channel).at(-1) === seq);
  return s.leave();
}

// What was missed, and how much of it is in the reply.
let s = await Session.open(ann);
is((await s.join(undefined, { channel: 'news' })).recovered, false, 'without a cursor nothing is recovered');
let since = await s.leave();
s = await Session.open(ann);
let r = await s.join(since, { channel: 'news' });
same([r.messages.length, r.more, r.recovered], [0, false, true], 'an empty log, resumed');
await say(3, { channel: 'news' });
await until('the messages', () => s.live('news').length === 3);
since = await s.leave();
s = await Session.open(ann);
r = await s.join(since, { channel: 'news' });
same([r.messages.length, r.more, r.recovered], [0, false, true], 'nothing was missed');
since = await s.leave();
await say(3, { channel: 'news' });
s = await Session.open(ann);
r = await s.join(since, { channel: 'news' });
same([s.seqs('news'), r.more, r.recovered], [[4, 5, 6], false, true], 'three were missed: in the reply, the oldest first');
s.leave();
s = await Session.open(ann);
r = await s.join(since.join(), { channel: 'news', limit: 1 });
await until('the rest', () => s.live('news').length === 2);
same([r.messages.map((m) => m.seq), r.more, r.recovered, s.seqs('news')], [[4], true, true, [4, 5, 6]], 'more than the limit: the rest follows as frames');
s.leave();
s = await Session.open(ann);
r = await s.join(since, { channel: 'news', limit: 0 });
await until('the rest', () => s.live('news').length === 3);
same([r.messages.length, r.more, s.seqs('news')], [0, true, [4, 5, 6]], 'limit 0: all follows as frames');
s.leave();

// Two cursors of one scope, in either order.
for (const [first, last, seqs] of [[5, 4, [5, 6]], [4, 5, [6]]]) {
  const at = (seq) => since.find((k) => k.startsWith('c:news:')).replace(/\d+$/, seq);
  s = await Session.open(ann);
  r = await s.join([at(first), at(last)], { channel: 'news' });
  same([r.recovered, s.seqs('news')], [true, seqs], `of ${first} and ${last} the last counts`);
  s.leave();
}

// Messages flow while much follows.
const talk = say(150, { channel: 'news' });
s = await Session.open(ann);
r = await s.join(since, { channel: 'news', limit: 1 });
await talk;
await until('all', () => s.live('news').at(-1)?.seq === 156);
same(s.seqs('news'), range(4, 156), 'while others talk: nothing is lost, doubled or out of order');

// Notices of a channel and of the user.
const watcher = await Session.open(bob);
await watcher.join(undefined, { channel: 'news' });
await until('the join', () => s.c.frames.some((f) => f.sys?.channelJoin && f.userUUID === bob.userUUID));
since = await s.leave();
await watcher.c.ask({ type: 'channelLeave', channelLeave: { channel: 'news' } });
await say(1, { recipientUUID: ann.userUUID });
s = await Session.open(ann, since);
await until('the notice', () => s.c.frames.some((f) => f.sys?.channelMessage?.SenderUUID === bob.userUUID));
is(s.authorized.recovered, true, "signIn: the user's own notices that were missed follow");
ok(s.authorized.cursor.split(',').every((c) => since.some((k) => k === c)), 'its cursor is where they begin');
r = await s.join(since, { channel: 'news' });
await until('the leave', () => s.c.frames.some((f) => f.type === 'channelLeave' && f.userUUID === bob.userUUID));
ok(r.recovered, 'so do the notices of a channel');
since = await s.leave();
s = await Session.open(ann);
const dora = (await watcher.c.ask({ type: 'signUp', signUp: { username: 'dora', password: 'secret123' } }, 'authorized')).authorized;
await watcher.leave();
const own = () => s.c.frames.filter((f) => f.sys?.signIn?.uuid === dora.userUUID || f.sys?.signOut?.uuid === dora.userUUID).map((f) => f.sys.type).join();
await until('her signOut', () => s.c.frames.some((f) => f.sys?.signOut?.uuid === dora.userUUID));
s.leave();
s = await Session.open(dora, watcher.cursors());
await until('her signIn', () => own().endsWith('signIn'));
await s.c.ask({ type: 'users' });
is(own(), 'signOut,signIn', "one's own sys signIn comes once, in its turn");
s.leave();
for (const [cursor, what] of [[since.filter((c) => c.startsWith('n')), 'a channel only'], [`sys:abc:1,u:${ann.userUUID}:abc:1`, 'unknown epochs'],
  [since.filter((c) => !c.startsWith('sys')), 'one of the two'], [`u:${bob.userUUID}:abc:1`, "another user's"]]) {
  s = await Session.open(ann, cursor);
  is(s.authorized.recovered, false, `signIn by cursors of ${what} recovers nothing`);
  is((await s.c.next('sys')).sys.type, 'signIn', 'and is a sign-in');
  s.leave();
}
s = await Session.open(ann);
s.c.send({ type: 'signIn', id: 'bad', signIn: { accessKey: ann.accessKey, since: 'nonsense' } });
same((await until('the error', () => s.c.frames.find((f) => f.id === 'bad'))).error.payload, 'since', 'garbage is error 3');

// Cursors that lead nowhere, or where nobody may go.
await say(5, { channel: 'here' });
await say(5, { channel: 'other' });
await say(5, { recipientUUID: carol.userUUID });
const here = await leaves('here', 5);
const epoch = here.find((c) => c.startsWith('c:here:')).split(':')[2];
const pair = `p:${[bob.userUUID, carol.userUUID].sort().join(':')}`;
const secret = redis('hget', `palaver:{${pair}}:m`, 'e');
for (const [cursor, recovered, what] of [
  [`c:here:${epoch}:0`, true, 'the begin'], [`c:here:${epoch}:5`, true, 'the end'], [`c:here:${epoch}:6`, false, 'the future'],
  ['c:here:abc:1', false, 'an epoch that never was'], [`c:here:${epoch}:999999999999999`, false, 'the far future'],
  [`c:other:${epoch}:1`, false, 'another channel'], [`${pair}:${secret}:1`, false, "another's private channel"],
  [`c:here~:${epoch}:0`, false, 'the notices only'], [`c:here:${epoch}:1,c:here:${epoch}:5`, true, 'twice the same: the latter'],
  ['', false, 'nothing'], [[], false, 'an empty list'], [null, false, 'null'],
]) {
  s = await Session.open(ann);
  r = await s.join(cursor, { channel: 'here' });
  const from = recovered ? Number(cursor.split(':').at(-1)) + 1 : 1;
  same([r.recovered, s.seqs('here'), r.more], [recovered, range(from, 5), false], `a cursor of ${what}`);
  await s.leave();
}
s = await Session.open(ann);
for (const bad of ['x', ':', 'c:here:', 'c:here:xyz:1', `c:here:${epoch}:-1`, `c:here:${epoch}:1.5`, `c:here:${epoch}:1,,`, 7, [7], {}, `${'g:abc:1,'.repeat(300)}g:abc:1`]) {
  same(await s.join(bad, { channel: 'here' }), { code: 3, error: 'a field is missing or out of bounds', payload: 'since' }, `garbage is error 3: ${JSON.stringify(bad).slice(0, 30)}`);
}
s.leave();
s = await Session.open(ann);
await s.join(undefined, { channel: 'here', limit: 2 });
r = await s.join(here, { channel: 'here' });
same([r.recovered, r.messages.length], [true, 0], 'joining again with a cursor is a refresh from there');
s.leave();

// On another bridge, which has not followed the channel yet.
since = await leaves('here', 5);
await say(7, { channel: 'here' });
s = await Session.open(ann, since, 'b2');
r = await s.join(since, { channel: 'here', limit: 3 });
await until('the rest', () => s.live('here').length === 4);
same([r.recovered, r.more, s.seqs('here')], [true, true, range(6, 12)], 'on another bridge than before');
s.leave();

// The log no longer reaches back.
redis('ltrim', 'palaver:{c:here}:l', '-4', '-1');
for (const [seq, recovered, wanted] of [[8, true, range(9, 12)], [7, false, range(9, 12)], [0, false, range(9, 12)], [12, true, []]]) {
  s = await Session.open(ann);
  r = await s.join(`c:here:${epoch}:${seq}`, { channel: 'here' });
  same([r.recovered, s.seqs('here')], [recovered, wanted], `trimmed: the messages after ${seq}`);
  await s.leave();
}
s = await Session.open(ann);
r = await s.join(`c:here:${epoch}:1`, { channel: 'here', limit: 2 });
same([r.recovered, s.seqs('here'), r.more], [false, [11, 12], true], 'what cannot be recovered is the newest page, and there are older ones');
s.leave();
redis('del', 'palaver:{c:here}:l');
s = await Session.open(ann);
r = await s.join(`c:here:${epoch}:9`, { channel: 'here' });
same([r.recovered, r.messages.length, r.more], [false, 0, false], 'a log that lost all');
s.leave();

// Over HTTP the next events give the rest.
async function poller(since) {
  const { authorized } = await post(url, 'signIn', { signIn: { accessKey: ann.accessKey, since } });
  const ask = (type, payload) => post(url, type, { accessKey: ann.accessKey, sessionUUID: authorized.sessionUUID, [type]: payload });
  return { authorized, ask, join: async (payload) => (await ask('channelJoin', payload)).channelJoin, events: async (payload) => (await ask('events', payload)).events };
}
const seqsOf = (e) => e.frames.filter((f) => f.type === 'channelMessage').map((f) => f.channelMessage.seq);
await say(250, { channel: 'page' });
const page = (await leaves('page', 250)).find((c) => c.startsWith('c:page:')).split(':')[2];
for (const by of ['its record', 'its cursor']) {
  const p = await poller();
  r = await p.join({ channel: 'page', since: `c:page:${page}:5`, limit: 20 });
  same([r.recovered, r.more, r.messages.map((m) => m.seq)], [true, true, range(6, 25)], 'over HTTP a page');
  const seen = r.messages.map((m) => m.seq);
  let cursor = by === 'its cursor' ? r.cursor : undefined;
  for (let more = true, n = 0; more && n < 9; n += 1) {
    const e = await p.events({ since: cursor, wait: 0 });
    ok(e.recovered, 'recovered');
    seen.push(...seqsOf(e));
    ({ more, cursor } = e);
  }
  same(seen, range(6, 250), `the next events give the rest, by ${by}`);
}
let p = await poller();
r = await p.join({ channel: 'page', since: 'c:page:abc:5', limit: 2 });
same([r.recovered, r.more, r.messages.map((m) => m.seq), seqsOf(await p.events({ wait: 0 }))], [false, true, [249, 250], []], 'not recovered: the newest page, and nothing of it again');
since = (await p.events({ wait: 0 })).cursor;
await say(1, { recipientUUID: ann.userUUID }, carol);
p = await poller(since);
const told = (e) => e.frames.some((f) => f.sys?.channelMessage?.SenderUUID === carol.userUUID);
ok(p.authorized.recovered && told(await p.events({ wait: 0 })), "signIn over HTTP: the user's own notices that were missed are the first events");
// One cursor on every transport.
s = await Session.open(ann, since);
await until('the notice', () => s.c.frames.some((f) => f.sys?.channelMessage?.SenderUUID === carol.userUUID));
r = await s.join(since, { channel: 'page' });
ok(s.authorized.recovered && r.recovered, "a long-poll session's cursor resumes on a WebSocket");
const moved = await s.leave();
await say(2, { channel: 'page' });
p = await poller(moved);
r = await p.join({ channel: 'page', since: moved });
same([p.authorized.recovered, r.recovered, r.messages.map((m) => m.seq)], [true, true, [251, 252]], "and a WebSocket's over HTTP");
// A WebSocket that is signed in and joins over HTTP.
const waiting = await Client.open(`ws+unix://${work}/b1.sock:/ws`);
const { sessionUUID } = waiting.frames[0].ready;
const http = (type, payload) => post(url, type, { accessKey: ann.accessKey, sessionUUID, [type]: payload });
await http('signIn', { accessKey: ann.accessKey, since });
is((await waiting.next('authorized')).authorized.recovered, true, 'a WebSocket signed in over HTTP resumes');
await until('the notice', () => waiting.frames.some((f) => f.sys?.channelMessage?.SenderUUID === carol.userUUID));
r = (await http('channelJoin', { channel: 'page', since: moved, limit: 1 })).channelJoin;
await until('the rest', () => waiting.frames.some((f) => f.channelMessage?.seq === 252));
same([r.messages.map((m) => m.seq), r.more, waiting.frames.filter((f) => f.type === 'channelMessage').map((f) => f.channelMessage.seq)], [[251], true, [252]], 'and what it joins over HTTP goes on behind the reply');
waiting.ws.close();

// Another Redis process: without loss, and with it.
async function again() {
  await stop('redis');
  await startRedis();
  await until('the responder', () => fetch(`${url}/api/health`).then((x) => x.ok));
  for (const b of ['b1', 'b2']) {
    await until(b, async () => {
      const c = await Client.open(`ws+unix://${work}/${b}.sock:/ws`);
      c.send({ type: 'signIn', signIn: { accessKey: bob.accessKey } });
      await until('an answer', () => c.frames.length > 1);
      c.ws.close();
      return c.frames[1].authorized;
    });
  }
}
since = await leaves('page', 252);
await say(2, { channel: 'page' });
redis('save');
await again();
s = await Session.open(ann, since);
r = await s.join(since, { channel: 'page', limit: 1 });
await until('the rest', () => s.live('page').length === 1);
same([s.authorized.recovered, r.recovered, s.seqs('page')], [true, true, [253, 254]], 'a new epoch without loss: the cursor of the one before is good');
const { cursor } = r;
s.leave();
await say(2, { channel: 'page' });
const later = await leaves('page', 256);
await again();
await say(3, { channel: 'page' });
s = await Session.open(ann);
r = await s.join(later, { channel: 'page', limit: 2 });
same([r.recovered, s.seqs('page')], [false, [256, 257]], 'a new epoch with loss: what the cursor saw is gone, the newest page');
s.leave();
s = await Session.open(ann);
is((await s.join(cursor, { channel: 'page' })).recovered, false, 'an epoch that was lost with what it held');
s.leave();

await end('responder', 'b1', 'b2');
