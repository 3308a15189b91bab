// SPDX-License-Identifier: MIT
// The life of access keys, and what becomes of the sessions that signed in by
// one when it dies: closed with 4001 within a second, on every bridge.
import { startTwoBridges, startResponder, startBridge, startNginx, redisLater as cli, Client, ok, is, until, post, end, stop, work } from './lib.mjs';

const PASSWORD = 'secret123';
const BUSY = "local t = redis.call('TIME') repeat local u = redis.call('TIME') until (u[1] - t[1]) * 1000000 + u[2] - t[2] > 100000";
const env = { PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_PRESENCE_GRACE: '60000' };
const { url, bridge } = await startTwoBridges(env);

async function open(n, payload) {
  const c = await Client.open(bridge(n));
  const { authorized } = await c.ask({ type: 'signIn', signIn: payload }, 'authorized');
  return Object.assign(c, { key: authorized.accessKey, user: authorized.userUUID, expiresAt: authorized.expiresAt });
}
const byName = (n, username) => open(n, { username, password: PASSWORD });
const byKey = (n, accessKey) => open(n, { accessKey });
const http = (type, accessKey, payload = {}, more = {}) => post(url, type, { accessKey, [type]: payload, ...more });
const signIn = async (username) => (await post(url, 'signIn', { signIn: { username, password: PASSWORD } })).authorized;
const dead = async (key) => (await http('users', key)).error?.code === 4;
/** All of them are closed with 4001 within a second of at. */
async function closed(at, what, ...clients) {
  await until(`${what}: 4001`, () => clients.every((c) => c.code));
  const took = Date.now() - at;
  ok(clients.every((c) => c.code === 4001) && took < 1000, `${what}: closed with 4001 after ${took} ms`, clients.map((c) => c.code).join());
}
const lives = async (...clients) => {
  for (const c of clients) await c.ask({ type: 'users' });
  return clients.every((c) => c.code === 0);
};
const watcher = await byName(1, 'watcher');
const gone = async (user) => until('sys signOut', () => watcher.frames.find((f) => f.sys?.signOut?.uuid === user));

// signOut of one session ends the key of all that signed in by it.
const a = await byName(1, 'ann');
const same = [await byKey(1, a.key), await byKey(2, a.key)];
const other = await byName(2, 'ann');
ok(other.key !== a.key, 'each sign-in by password has a key of its own');
is(same[0].key, a.key, 'one by key keeps it');
let at = Date.now();
is((await a.ask({ type: 'signOut' })).signOut.uuid, a.user, 'signOut');
await closed(at, 'the others that signed in by this key', ...same);
is((await a.ask({ type: 'users' }, 'error')).error.code, 4, 'the one that said so stays, unsigned');
is(a.code, 0, 'and open');
ok(await lives(other), 'a session with another key lives');
ok(!watcher.frames.some((f) => f.sys?.signOut?.uuid === a.user), 'the user is on line still');
ok(await dead(a.key), 'over HTTP the key is dead, too');
await a.ask({ type: 'signIn', signIn: { username: 'ann', password: PASSWORD } }, 'authorized');
ok(await lives(a), 'it may sign in again');
ok(![a, other, watcher].some((c) => c.frames.some((f) => JSON.stringify(f).includes('"!'))) , 'no session is sent what is for bridges');

// signOut over HTTP, with no session.
at = Date.now();
is((await http('signOut', other.key)).status, 200, 'signOut over HTTP');
await closed(at, 'its sessions', other);

// Nobody needs to wait for it, nor for what was asked before it.
async function leaves(c, how, ...asked) {
  const busy = cli('EVAL', BUSY, '0');
  await new Promise((r) => setTimeout(r, 30));
  for (const [type, payload] of [...asked, ['signOut']]) c.send({ type, [type]: payload });
  c.ws[how]();
  await Promise.all([busy, until('the close', () => c.code)]);
}
const keysOf = async (c) => Number(await cli('ZCARD', `palaver:{u:${c.user}}:k`));
for (const how of ['close', 'terminate']) {
  const c = await byName(1, 'nell');
  await leaves(c, how, ['channelMessage', { message: 'x' }], ['channelMessage', { message: 'y' }]);
  await until('the end of the key', () => dead(c.key));
  await until('sys signOut', async () => (await http('users', watcher.key, { online: true })).users.users.every((u) => u.UUID !== c.user));
  const changes = await byName(2, 'nell');
  await leaves(changes, how, ['password', { password: PASSWORD, newPassword: PASSWORD }]);
  await until('the end of both keys', async () => await keysOf(changes) === 0);
  const comes = await Client.open(bridge(1));
  const { accessKey } = await signIn('nell');
  await leaves(comes, how, ['signIn', { accessKey }]);
  await until('the end of the key', () => dead(accessKey));
  const other = await byName(1, 'nell');
  await leaves(other, how, ['users'], ['signIn', { username: 'nina', password: PASSWORD }]);
  await http('users', watcher.key);
  ok(!await dead(other.key), `a signOut waits when its connection ends (${how}): it ends the key that it would have ended, and no other`);
  await http('signOut', other.key);
}

// Everywhere.
const b = [await byName(1, 'bob'), await byName(2, 'bob'), await byName(2, 'bob')];
const key = (await signIn('bob')).accessKey;
at = Date.now();
await b[0].ask({ type: 'signOut', signOut: { everywhere: true } });
await closed(at, 'signOut everywhere', b[1], b[2]);
is((await b[0].ask({ type: 'users' }, 'error')).error.code, 4, 'the one that said so stays');
ok(await dead(key) && await dead(b[1].key) && await dead(b[0].key), 'all keys are dead');
const c = [await byName(1, 'cid'), await byName(2, 'cid')];
at = Date.now();
is((await http('signOut', (await signIn('cid')).accessKey, { everywhere: 'true' })).status, 200, 'everywhere, over HTTP');
await closed(at, 'all', ...c);
is((await http('signOut', (await signIn('cid')).accessKey, { everywhere: 7 })).error.payload, 'everywhere', 'everywhere is true or false');
is((await http('signOut', (await signIn('eve')).accessKey, { everywhere: false })).status, 200, 'false is as if it was not there');

// sys signOut comes with the last session, at once.
const d = [await byName(1, 'dora'), await byName(2, 'dora')];
await d[0].ask({ type: 'signOut' });
ok(await lives(d[1]) && !watcher.frames.some((f) => f.sys?.signOut?.uuid === d[0].user), 'no sys signOut while there is another session');
await d[1].ask({ type: 'signOut' });
await gone(d[0].user);
ok(true, 'sys signOut with the last one');
const f = [await byName(1, 'fred')];
f.push(await byKey(2, f[0].key));
await http('signOut', f[0].key);
await gone(f[0].user);
ok(true, 'closed with 4001 counts at once, too');

// So does a session over HTTP, and the poll that waits in it is answered.
const poller = await signIn('iris');
await http('channelJoin', poller.accessKey, {}, { sessionUUID: poller.sessionUUID });
const rival = await byName(2, 'iris');
let { cursor } = (await http('events', poller.accessKey, { wait: 0 }, { sessionUUID: poller.sessionUUID })).events;
for (let more = true; more;) {
  const { events } = await http('events', poller.accessKey, { since: cursor, wait: 0 }, { sessionUUID: poller.sessionUUID });
  ({ cursor } = events);
  more = events.more || events.frames.length > 0;
}
const parked = http('events', poller.accessKey, { since: cursor, wait: 20 }, { sessionUUID: poller.sessionUUID });
await until('the poll to wait', async () => await cli('HGET', `palaver:{sys}:s:${poller.sessionUUID}`, 'w') !== '');
at = Date.now();
await http('signOut', poller.accessKey);
await parked;
ok(Date.now() - at < 1000, `a poll that waits is answered after ${Date.now() - at} ms`);
is((await http('events', poller.accessKey, { since: cursor }, { sessionUUID: poller.sessionUUID })).error.code, 4, 'and then it is error 4');
ok(!watcher.frames.some((x) => x.sys?.signOut?.uuid === rival.user), 'the user is on line by another session');
await rival.ask({ type: 'signOut' });
await gone(rival.user);
ok(true, 'and off line with that one');
const mover = await signIn('jack');
const moved = await http('password', mover.accessKey, { password: PASSWORD, newPassword: 'secret456' }, { sessionUUID: mover.sessionUUID });
is((await http('channelJoin', moved.authorized.accessKey, {}, { sessionUUID: mover.sessionUUID })).status, 200, 'password leaves the session over HTTP that asked');
await http('signOut', moved.authorized.accessKey);
await gone(moved.authorized.userUUID);
ok(true, 'which ends with its new key');
is(await cli('EXISTS', `palaver:{u:${rival.user}}:h`, `palaver:{u:${moved.authorized.userUUID}}:h`), '0', 'nothing is left of them');

// Sixteen keys.
const g = await byName(1, 'gwen');
const second = await byName(2, 'gwen');
for (let n = 2; n < 16; n += 1) await signIn('gwen');
ok(await lives(g, second), 'sixteen keys live');
await cli('ZINCRBY', `palaver:{u:${g.user}}:k`, '-120000', (await cli('ZRANGE', `palaver:{u:${g.user}}:k`, '0', '0')));
await g.ask({ type: 'users' });
at = Date.now();
await signIn('gwen');
await closed(at, 'the one unused for longest', second);
ok(await lives(g), 'but not one older that was used');
is(await cli('ZCARD', `palaver:{u:${g.user}}:k`), '16', 'sixteen are left');

// A dead key is refused at once, even where the news has not come yet.
const h = await byName(1, 'hugo');
await cli('DEL', `palaver:{u:${h.user}}:k`);
is((await h.ask({ type: 'channelMessage', channelMessage: { message: 'x' } }, 'error')).error.code, 4, 'a dead key sends nothing');
is((await h.ask({ type: 'channelJoin' }, 'error')).error.code, 4, 'and joins nothing');

// No outage of pub/sub loses a death.
for (let n = 0; n < 5; n += 1) {
  const e = [await byName(1, 'ines'), await byName(2, 'ines')];
  const k = (await signIn('ines')).accessKey;
  await Promise.all([cli('CLIENT', 'KILL', 'TYPE', 'pubsub'), http('signOut', k, { everywhere: true }), cli('CLIENT', 'KILL', 'TYPE', 'pubsub')]);
  await until('4001', () => e.every((x) => x.code));
  if (e.some((x) => x.code !== 4001)) ok(false, `4001 in round ${n}`);
}
ok(true, 'while pub/sub breaks all are closed as well');

// A death between the sign-in's answer in Redis and in the bridge.
let races = 0;
for (let n = 0; n < 16; n += 1) {
  const k = (await signIn('jane')).accessKey;
  const stays = await byKey(1, k);
  const late = await Client.open(bridge(1));
  // While Redis is busy both arrive; then the news may be faster than the answer.
  const busy = cli('EVAL', BUSY, '0');
  await new Promise((r) => setTimeout(r, 30));
  late.send({ type: 'signIn', signIn: { accessKey: k } });
  await Promise.all([http('signOut', k), busy]);
  await until('4001, or error 4', () => late.code === 4001 || late.frames.some((x) => x.error?.code === 4));
  await until('4001', () => stays.code === 4001);
  races += 1;
  late.ws.close();
}
is(races, 16, 'a sign-in and a death at once never leave a session behind');
await stop('b1');
await stop('b2');

// Expiry: a key slides with its use, and dies without.
const short = { ...env, PALAVER_KEY_LIFE: '3s' };
await startBridge('b3', short);
await startBridge('b4', short);
await startResponder('short', short);
const quick = await startNginx(['short'], ['b3'], 'quick');
const use = await open(3, { username: 'kim', password: PASSWORD });
const idle = [await open(3, { username: 'kim', password: PASSWORD }), await open(4, { username: 'kim', password: PASSWORD })];
const shared = [await open(3, { accessKey: use.key }), await open(4, { accessKey: use.key })];
at = Date.now();
const tick = setInterval(() => post(quick, 'users', { accessKey: use.key }), 500);
await until('the end of idle keys', () => idle.every((x) => x.code));
ok(idle.every((x) => x.code === 4001) && Date.now() - at > 2500 && Date.now() - at < 4200, `unused keys of 3 s are dead after ${Date.now() - at} ms`);
await until('twice that time', () => Date.now() - at > 6500);
ok(await lives(use, ...shared), 'one that is used over HTTP lives on');
const before = Date.parse(use.expiresAt);
const extended = (await post(quick, 'signIn', { signIn: { accessKey: use.key } })).authorized;
ok(extended.accessKey === use.key && Date.parse(extended.expiresAt) > before, 'signIn by key extends it, and returns the same');
clearInterval(tick);
at = Date.now();
while (Date.now() - at < 4000) {
  await use.ask({ type: 'users' });
  await new Promise((r) => setTimeout(r, 200));
}
ok(use.code === 0 && shared.every((x) => x.code === 0), 'used on a WebSocket as well');
at = Date.now();
await until('the end', () => [use, ...shared].every((x) => x.code));
ok([use, ...shared].every((x) => x.code === 4001) && Date.now() - at < 4200, `and dies when it is used no more, after ${Date.now() - at} ms`);
await end('responder', 'short', 'b3', 'b4');
