// SPDX-License-Identifier: MIT
// Presence, one case after the other: first and last session, grace, leases,
// bridges that are stopped, killed or frozen, and a Redis that lost its data.
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { startRedis, startResponder, startBridge, startNginx, Client, stop, signal, ok, is, until, post, end, work } from './lib.mjs';

const LEASE = 900;
const GRACE = 1000;
const HTTP_LEASE = 2500;
const settings = {
  PALAVER_PRESENCE_LEASE: LEASE, PALAVER_PRESENCE_GRACE: GRACE, PALAVER_SESSION_LEASE: HTTP_LEASE, PALAVER_NOTICE_RATE: '0',
  PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_SIGN_UP_RATE: '0', PALAVER_REQUEST_RATE: '0', PALAVER_CONNECTION_RATE: '0',
};
const BEAT = LEASE / 3;
await startRedis();
await startResponder('r1', settings);
for (const b of ['b1', 'b2']) await startBridge(b, settings);
const url = await startNginx(['r1'], ['b1', 'b2']);
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const redis = (...args) => execFileSync('redis-cli', ['-s', `${work}/redis.sock`, ...args], { encoding: 'utf8' }).trim();
const keys = (pattern) => redis('KEYS', `palaver:${pattern}`).split('\n').filter(Boolean);

const open = (bridge) => Client.open(`ws+unix://${work}/${bridge}.sock:/ws`);
async function enter(bridge, username, type = 'signIn') {
  const c = await open(bridge);
  const { authorized } = await c.ask({ type, [type]: { username, password: 'secret123' } }, 'authorized');
  return Object.assign(c, { uuid: authorized.userUUID, key: authorized.accessKey });
}
async function enterHttp(username) {
  const { authorized } = await post(url, 'signIn', { signIn: { username, password: 'secret123' } });
  return { uuid: authorized.userUUID, accessKey: authorized.accessKey, sessionUUID: authorized.sessionUUID };
}
const who = ({ accessKey, sessionUUID }) => ({ accessKey, sessionUUID });
const join = (channel) => ({ type: 'channelJoin', channelJoin: { channel } });
async function bye(c) {
  c.ws.terminate();
  await until('the close', () => c.code);
}

let watch = await enter('b1', 'watch');
await watch.ask(join('x'));
/** What watch was told of user, in short: + signIn, - signOut, > channelJoin, < channelLeave. */
const told = (user, c = watch) => c.frames.map((f) => {
  if (f.sys?.signIn?.uuid === user) return '+';
  if (f.sys?.signOut?.uuid === user) return '-';
  if (f.userUUID !== user) return '';
  return f.type === 'channelLeave' ? '<' : f.sys?.type === 'channelJoin' ? '>' : '';
}).join('');
/** Whether the last that was told of user is so. */
const last = (user, what) => told(user).replace('+-'.includes(what) ? /[<>]/g : /[+-]/g, '').endsWith(what);
const online = async (c = watch) => (await c.ask({ type: 'users', users: { online: true, limit: 1000 } })).users.users.map((u) => u.UUID);
const members = async (channel, c = watch) => (await c.ask({ type: 'channelJoin', channelJoin: { channel } })).channelJoin.users.map((u) => u.UUID);

// ---- first and last, over bridges and HTTP ----

const ann = await enter('b1', 'ann', 'signUp');
await until('+', () => told(ann.uuid) === '+');
ok((await online()).includes(ann.uuid) && ann.key, 'D39: signUp gives a key and is on line');
const ann2 = await enter('b2', 'ann');
const ann3 = await enterHttp('ann');
await ann.ask(join('x'));
await ann2.ask(join('x'));
await post(url, 'channelJoin', { ...who(ann3), channelJoin: { channel: 'x' } });
await until('>', () => told(ann.uuid) === '+>');
is((await watch.ask(join('x'))).channelJoin.users.find((u) => u.UUID === ann.uuid).OnLine, true, "OnLine in channelJoin's users");
await ann.ask({ type: 'signOut' });
await bye(ann2);
await sleep(GRACE + 2 * BEAT);
is((await post(url, 'channelLeave', { ...who(ann3), channelLeave: { channel: 'x' } })).type, 'channelLeave', 'the session by HTTP lives on');
await until('<', () => told(ann.uuid) === '+><');
is(told(ann.uuid), '+><', 'D36: first and last of three sessions are told, the others not');
ok((await online()).includes(ann.uuid), 'on line while any of them lives');
await post(url, 'signOut', who(ann3));
await until('-', () => last(ann.uuid, '-'));
is(told(ann.uuid), '+><-', 'signOut of the last one counts at once');

// ---- a connection that is closed; short absences ----

const bob = await enter('b2', 'bob');
await bob.ask(join('x'));
const closed = Date.now();
await bye(bob);
await until('the grace', () => redis('HGET', 'palaver:{sys}:online', bob.uuid) === '0');
ok((await online()).includes(bob.uuid), 'D35: a closed connection counts until the grace is over');
await until('-', () => last(bob.uuid, '-'));
const took = Date.now() - closed;
ok(took >= GRACE && took < GRACE + 4 * BEAT + 500, `then it does not: ${took} ms for a grace of ${GRACE}`);
is(told(bob.uuid).split('').sort().join(''), '+-<>'.split('').sort().join(''), 'each told once');
ok(!(await online()).includes(bob.uuid) && !(await members('x')).includes(bob.uuid), 'D27, D35: nothing of it is left in the lists');
const back = await enter('b1', 'bob');
await bye(back);
const again = await enter('b2', 'bob');
await sleep(GRACE + 2 * BEAT);
is(told(bob.uuid).replace(/[<>]/g, ''), '+-+', 'a short absence is not told');

// ---- leaving ----

await again.ask(join('x'));
await until('>', () => last(bob.uuid, '>'));
await again.ask({ type: 'channelLeave', channelLeave: { channel: 'x' } });
ok(!(await members('x')).includes(bob.uuid), 'D37: channelLeave takes the user away at once');
await again.ask({ type: 'channelJoin', channelJoin: { recipientUUID: watch.uuid } });
is(redis('HKEYS', `palaver:{p:${[bob.uuid, watch.uuid].sort().join(':')}}:in`), bob.uuid, 'D37: nobody is in a private channel without joining');
await again.ask({ type: 'signIn', signIn: { username: 'carol', password: 'secret123' } }, 'authorized');
await until('-', () => last(bob.uuid, '-'));
ok(!(await online()).includes(bob.uuid), 'signing in as another replaces the user');
again.send({ type: 'channelJoin', channelJoin: { channel: 'y' } });
again.send({ type: 'signIn', signIn: { username: 'dora', password: 'secret123' } });
await bye(again);
const mid = await open('b1');
mid.send({ type: 'signIn', signIn: { username: 'dora', password: 'secret123' } });
await bye(mid);
await until('nobody', () => redis('HLEN', 'palaver:{sys}:online') === '1');
is(redis('EXISTS', 'palaver:{c:y}:in'), '0', 'requests on their way when the connection ends leave nothing');
const sessions = () => keys('{sys}:s:*').filter((k) => redis('HEXISTS', k, 'u') === '1').length;
is(sessions(), 1, 'D27: no session is left but one');

// ---- at most 64 channels ----

const many = await enter('b1', 'many');
const manyHttp = await enterHttp('many');
for (let n = 0; n < 65; n += 1) {
  many.send(join(`ws${n}`));
  await post(url, 'channelJoin', { ...who(manyHttp), channelJoin: { channel: `http${n}` } });
}
await until('65 replies', () => many.frames.filter((f) => f.type === 'channelJoin').length === 65);
for (const kind of ['ws', 'http']) is([0, 1, 64].map((n) => redis('HGET', `palaver:{c:${kind}${n}}:in`, many.uuid)).join(), ',1,1', `${kind}: the 65th channel takes the one joined longest ago away`);
const from = many.frames.length;
const probe = await enter('b2', 'probe');
for (const c of ['ws0', 'ws1']) probe.send({ type: 'channelMessage', channelMessage: { channel: c, message: c } });
await until('a message', () => many.frames.slice(from).some((f) => f.type === 'channelMessage'));
ok(!many.frames.some((f) => f.channelMessage?.channel === 'ws0'), 'and its messages');
await bye(many);
await bye(probe);

// ---- HTTP sessions that are not heard of any more ----

const http = await enterHttp('http');
await post(url, 'channelJoin', { ...who(http), channelJoin: { channel: 'x' } });
const asked = Date.now();
await until('-', () => last(http.uuid, '-'));
ok(Date.now() - asked >= HTTP_LEASE - 50, 'an HTTP session ends with its lease');
is((await post(url, 'channelJoin', { ...who(http), channelJoin: { channel: 'x' } })).error?.code, 4, 'it is unknown then');
const http2 = await enterHttp('http');
await until('+', () => last(http.uuid, '+'));
is(told(http.uuid).replace(/[<>]/g, ''), '+-+', 'who signs in again is told again');
for (let n = 0; n < 5; n += 1) {
  await sleep(HTTP_LEASE / 2);
  await post(url, 'channelLeave', { ...who(http2), channelLeave: { channel: 'none' } });
}
ok((await online()).includes(http.uuid), 'one that asks lives on');

// ---- a bridge is stopped, killed, frozen ----

const eve = await enter('b2', 'eve');
await eve.ask(join('x'));
const ended = Date.now();
await stop('b2');
await until('-', () => last(eve.uuid, '-'));
ok(Date.now() - ended >= GRACE, `a bridge that was stopped: after the grace (${Date.now() - ended} ms)`);
await startBridge('b2', settings);
const eve2 = await enter('b2', 'eve');
await eve2.ask(join('x'));
await until('>', () => last(eve.uuid, '>'));
const killed = Date.now();
await stop('b2', 'SIGKILL');
await until('-', () => last(eve.uuid, '-'));
const lasted = Date.now() - killed;
ok(lasted >= GRACE + LEASE - BEAT - 100, `D35: one that was killed: after lease and grace (${lasted} ms)`);
is(told(eve.uuid).replace(/[<>]/g, ''), '+-+-', 'each told once');
ok(!(await members('x')).includes(eve.uuid), 'D37: nor is it in the channel');
await startBridge('b2', settings);

const fay = await enter('b2', 'fay');
const gil = await enter('b2', 'gil');
await fay.ask(join('x'));
await fay.ask(join('z'));
await until('>', () => told(fay.uuid) === '+>');
signal('b2', 'SIGSTOP');
await until('the reaping', () => redis('HGET', 'palaver:{sys}:online', fay.uuid) === '0');
signal('b2', 'SIGCONT');
await until('the count', () => redis('HGET', 'palaver:{sys}:online', fay.uuid) === '1');
await sleep(GRACE + 2 * BEAT);
is(told(fay.uuid), '+>', 'a bridge that was frozen beyond its lease, not its grace: nobody notices');
signal('b2', 'SIGSTOP');
await until('-', () => last(fay.uuid, '-') || last(fay.uuid, '<'));
await until('all', () => redis('HEXISTS', 'palaver:{sys}:online', gil.uuid) === '0' && redis('EXISTS', 'palaver:{c:z}:in') === '0');
gil.send({ type: 'signOut' });
signal('b2', 'SIGCONT');
await until('the count', () => redis('HGET', 'palaver:{sys}:online', fay.uuid) === '1' && redis('HGET', 'palaver:{c:z}:in', fay.uuid) === '1');
await until('notices', () => told(fay.uuid).length === 6);
is(told(fay.uuid).replace(/[<>]/g, ''), '+-+', 'longer: gone and come, each told once');
is(told(fay.uuid).replace(/[+-]/g, ''), '><>', 'in the channel too');
await sleep(GRACE + 2 * BEAT);
is(told(fay.uuid).length, 6, 'and no more');
is(redis('HGET', 'palaver:{c:x}:in', fay.uuid), '1', 'counted once');
await bye(gil);

// ---- connections to Redis ----

const clients = () => redis('CLIENT', 'LIST').split('\n').length;
const channels = () => redis('PUBSUB', 'CHANNELS').split('\n').filter(Boolean).length;
await until('no other', () => channels() < 12);
const had = [clients(), channels()];
for (let n = 0; n < 60; n += 1) {
  const c = await enter(n % 2 ? 'b1' : 'b2', `user${n % 5}`);
  c.send(join(`room${n}`));
  await bye(c);
}
await until('none left', () => channels() === had[1]);
is(clients(), had[0], 'D26: joins and disconnects leave no connection to Redis and no subscription');
await until('rest', () => redis('HLEN', 'palaver:{sys}:online') === '2' && keys('{c:room*}:in').length === 0);

// ---- Redis loses who is where, or all ----

// At once: a bridge must not come in between.
redis('EVAL', `for _, p in ipairs({ 'online', 'shown', 'leases', 'due', 'polls', 's:*', 'b:*' }) do
  for _, k in ipairs(redis.call('KEYS', 'palaver:{sys}:' .. p)) do redis.call('DEL', k) end
end
for _, k in ipairs(redis.call('KEYS', '*:in')) do redis.call('DEL', k) end
return 'OK'`, '0');
await until('the counts', () => [watch, fay].every((c) => redis('HGET', 'palaver:{sys}:online', c.uuid) === '1' && redis('HGET', 'palaver:{c:x}:in', c.uuid) === '1'));
ok(redis('HGET', 'palaver:{c:z}:in', fay.uuid) === '1' && redis('HLEN', 'palaver:{sys}:online') === '2', 'Redis lost who is where: the bridges tell it anew');
is(sessions(), 2, 'each session once');
await bye(fay);
await until('-', () => redis('HEXISTS', 'palaver:{sys}:online', fay.uuid) === '0' && redis('HLEN', 'palaver:{c:x}:in') === '1');
ok(true, 'and they count on from there');

async function allLost(what, lose, codes) {
  watch = await enter('b1', 'watch');
  const other = await enter('b2', 'other');
  await watch.ask(join('x'));
  await other.ask(join('x'));
  await lose();
  await until('the close', () => watch.code && other.code);
  ok([watch, other].every((c) => codes.includes(c.code)), `${what}: clients of users that are no more are closed: ${watch.code}, ${other.code}`);
  const fresh = await until('a sign-in', async () => {
    const c = await open('b2');
    c.send({ type: 'signIn', id: '1', signIn: { username: 'fresh', password: 'secret123' } });
    const f = await until('a reply', () => c.frames.find((r) => r.id === '1'));
    return f.type === 'authorized' && c;
  });
  await fresh.ask(join('x'));
  await until('true counts', () => redis('HLEN', 'palaver:{sys}:online') === '1' && redis('HLEN', 'palaver:{c:x}:in') === '1' && sessions() === 1);
  is(redis('HVALS', 'palaver:{sys}:online') + redis('HVALS', 'palaver:{c:x}:in'), '11', `${what}: true counts again`);
  await bye(fresh);
}
await bye(watch);
await allLost('FLUSHALL', () => redis('FLUSHALL'), [4001]);
await allLost('Redis started anew without its data', async () => {
  await stop('redis', 'SIGKILL');
  rmSync(`${work}/redis.sock`, { force: true });
  await startRedis();
  await until('Redis', () => existsSync(`${work}/redis.sock`) && redis('PING') === 'PONG');
}, [4001, 4008]); // whichever is seen first: no such key, or that messages are lost
await end('r1', 'b1', 'b2');
