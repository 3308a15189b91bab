// SPDX-License-Identifier: MIT
// A sign-in over HTTP signs a waiting WebSocket in, on either bridge, and acts
// on it from then on; no outage of pub/sub loses what the bridge is told.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startTwoBridges, startRedis, startBridge, redisLater as cli, Client, ok, is, until, post, end, stop, work } from './lib.mjs';

const known = async (uuid) => await cli('EXISTS', `palaver:{sys}:s:${uuid}`) === '1';
const env = { PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_LOG_LEVEL: 'debug', PALAVER_PRESENCE_LEASE: '3000', PALAVER_PRESENCE_GRACE: '300' };
const { url, bridge } = await startTwoBridges(env);
const secrets = [];

/** A connection that is nobody's; its secret. */
async function waiting(n) {
  const c = await Client.open(bridge(n));
  c.uuid = (await c.next('ready')).ready.sessionUUID;
  secrets.push(c.uuid);
  return c;
}
const signIn = (username, more) => post(url, 'signIn', { ...more, signIn: { username, password: 'secret123' } });
const does = (type, c, payload = {}) => post(url, type, { sessionUUID: c.uuid, accessKey: c.key, [type]: payload });
const messages = (c) => c.frames.filter((f) => f.type === 'channelMessage').map((f) => f.channelMessage.Message);
const online = async (name) => (await post(url, 'users', { accessKey: ann.key })).users.users.find((u) => u.Username === name)?.OnLine;

const ann = await waiting(1);
ok(await known(ann.uuid), 'a session is known before ready is sent');
const reply = await signIn('ann', { sessionUUID: ann.uuid, id: '7' });
is(reply.status, 200, 'a sign-in over HTTP attaches it');
is(reply.authorized.sessionUUID, ann.uuid, 'to that session');
ann.key = reply.authorized.accessKey;
const { authorized } = await ann.next('authorized');
is(authorized.userUUID, reply.authorized.userUUID, 'the WebSocket is authorized');
is(authorized.sessionUUID, ann.uuid, 'as that session');
is(authorized.cursor, reply.authorized.cursor, "with the reply's cursor");
is(authorized.expiresAt, reply.authorized.expiresAt, 'and end of the key');
ok(!JSON.stringify(ann.frames).includes('accessKey'), 'but without the key');
const own = await ann.next('sys');
is(own.sys.signIn?.username, 'ann', 'then comes its own sys signIn');
is((await ann.ask({ type: 'users' })).users.users[0].OnLine, true, 'it acts, and is on line');

const bob = await waiting(2);
is((await signIn('bob', { sessionUUID: bob.uuid })).status, 200, 'another, on the other bridge');
await bob.next('authorized');
is((await ann.next('sys')).sys.signIn.username, 'bob', 'is told to all');

// What may not be attached.
is((await signIn('ann', { sessionUUID: ann.uuid })).error.code, 10, 'a session is attached once');
is((await signIn('ann', { sessionUUID: bob.uuid })).error.code, 10, "another's is refused");
is((await signIn('ann', { sessionUUID: '123e4567-e89b-42d3-a456-426614174000' })).error.code, 4, 'an unknown one is error 4');
const poll = await signIn('ann');
is((await signIn('ann', { sessionUUID: poll.authorized.sessionUUID })).error.code, 10, 'one that is polled is refused');
const left = await waiting(1);
left.ws.close();
await until('the end of a connection', async () => !await known(left.uuid));
is((await signIn('ann', { sessionUUID: left.uuid })).error.code, 4, 'one whose connection is gone is unknown');
const spoilt = await waiting(1);
is((await post(url, 'signIn', { sessionUUID: spoilt.uuid, signIn: { username: 'ann', password: 'wrong password' } })).error.code, 5, 'a wrong password does not attach');
is((await post(url, 'signUp', { sessionUUID: spoilt.uuid, signUp: { username: 'cid', password: 'secret123' } })).status, 200, 'and signUp does');
await spoilt.next('authorized');
const byKey = await waiting(2);
is((await post(url, 'signIn', { sessionUUID: byKey.uuid, signIn: { accessKey: ann.key } })).authorized.accessKey, ann.key, 'so does an access key');
await byKey.next('authorized');
byKey.ws.close();

// Two at once: one of them wins.
const disputed = await waiting(1);
const both = await Promise.all(['ann', 'bob', 'ann', 'bob'].map((name) => signIn(name, { sessionUUID: disputed.uuid })));
is(both.filter((r) => r.status === 200).length, 1, 'of four sign-ins at once one wins');
is(both.filter((r) => r.error?.code === 10).length, 3, 'the others are refused');
is((await disputed.next('authorized')).authorized.userUUID, both.find((r) => r.authorized).authorized.userUUID, 'it is the one that the session hears of');
disputed.ws.close();

// Joins and leaves act on the WebSocket.
const joined = await does('channelJoin', ann);
is(joined.status, 200, 'channelJoin over HTTP');
ok(await until('sys channelJoin', () => ann.frames.find((f) => f.sys?.type === 'channelJoin')), 'its sys channelJoin comes to the WebSocket');
await bob.ask({ type: 'channelMessage', channelMessage: { message: 'one' } }, 'channelMessage');
is((await ann.next('channelMessage')).channelMessage.Message, 'one', 'and the messages from then on');
const listed = await bob.ask({ type: 'channelJoin' });
is(listed.channelJoin.users.filter((u) => u.Username === 'ann').length, 1, 'ann is in the channel once');
await ann.ask({ type: 'channelJoin' });
is(listed.channelJoin.total, 2, 'joining again on the WebSocket is a silent refresh');
const further = await waiting(1);
further.key = (await signIn('ann', { sessionUUID: further.uuid })).authorized.accessKey;
await further.next('authorized');
await does('channelJoin', further);
const told = await until("the further one's notice", () => further.frames.find((f) => f.sys?.type === 'channelJoin'));
is(`${told.userUUID} ${told.cursor}`, `${authorized.userUUID} undefined`, 'a further WebSocket of the user gets a notice of its own');
await does('channelLeave', further);
is((await does('channelLeave', ann)).status, 200, 'channelLeave over HTTP');
await until('the leave', () => bob.frames.find((f) => f.type === 'channelLeave' && f.userUUID === authorized.userUUID));
bob.send({ type: 'channelMessage', channelMessage: { message: 'two' } });
await until('the message', () => messages(bob).includes('two'));
await ann.ask({ type: 'users' });
ok(!messages(ann).includes('two'), 'the WebSocket gets no more of it');
is((await post(url, 'channelJoin', { sessionUUID: bob.uuid, accessKey: ann.key })).error.code, 10, "another's WebSocket cannot be acted on");
const nobody = await waiting(1);
is((await does('channelJoin', { uuid: nobody.uuid, key: ann.key })).error.code, 4, "nor can nobody's");

// A message behind a join of which the bridge has not heard yet.
const quick = await waiting(2);
quick.key = (await signIn('quick', { sessionUUID: quick.uuid })).authorized.accessKey;
await quick.next('authorized');
const said = [];
for (let n = 0; n < 5; n += 1) {
  const channel = `quick${n}`;
  await cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await does('channelJoin', quick, { channel });
  for (const message of [`${n} first`, `${n} last`]) {
    said.push(message);
    await quick.ask({ type: 'channelMessage', id: message, channelMessage: { channel, message } }, 'ack');
  }
  await until('the message', () => messages(quick).includes(`${n} last`));
}
// What came twice did so before the last of the next channel.
is(messages(quick).slice(0, -2).join(), said.slice(0, -2).join(), 'comes once');

// Pub/sub breaks all the time.
const crowd = await Promise.all(Array.from({ length: 20 }, (_, n) => waiting(1 + (n % 2))));
let breaking = true;
const breaker = (async () => {
  let n = 0;
  for (; breaking; n += 1) {
    await cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await new Promise((r) => setTimeout(r, 10));
  }
  return n;
})();
await Promise.all(crowd.map(async (c, n) => {
  const r = await signIn(`crowd${n}`, { sessionUUID: c.uuid });
  c.key = r.authorized.accessKey;
  c.user = r.authorized.userUUID;
  for (let k = 0; k < 6; k += 1) {
    await does('channelJoin', c, { channel: `room${k}` });
    if (k % 2) await does('channelLeave', c, { channel: `room${k}` });
  }
}));
breaking = false;
ok(await breaker > 3, 'pub/sub broke all the while');
await until('all to be authorized', () => crowd.every((c) => c.frames.some((f) => f.type === 'authorized')));
ok(crowd.every((c) => c.frames.filter((f) => f.type === 'authorized').length === 1), 'each session was told once');
const says = await signIn('speaker');
// The bridges may still be hearing of the last ones: a round in which it is so.
let round = 0;
const settled = await until('a round without a fault', async () => {
  round += 1;
  for (let k = 0; k < 6; k += 1) await post(url, 'channelMessage', { accessKey: says.authorized.accessKey, channelMessage: { channel: `room${k}`, message: `${round} in ${k}` } });
  await until('the messages', () => crowd.every((c) => messages(c).filter((m) => /[024]$/.test(m)).length >= 3 * round));
  await Promise.all(crowd.map((c) => c.ask({ type: 'users' })));
  return crowd.every((c) => messages(c).filter((m) => m.startsWith(`${round} `)).sort().join() === [0, 2, 4].map((k) => `${round} in ${k}`).join());
});
ok(settled, 'each follows what it joined, and nothing that it left');
const room = await post(url, 'channelJoin', { accessKey: says.authorized.accessKey, sessionUUID: says.authorized.sessionUUID, channelJoin: { channel: 'room0' } });
is(room.channelJoin.total, 21, 'and is counted there');

// signOut over HTTP: the WebSocket stays, nobody's.
const out = crowd[0];
is((await does('signOut', out)).status, 200, 'signOut over HTTP');
await until('the sign-out', async () => (await out.ask({ type: 'users', id: 'x' }, 'error').catch(() => null))?.error.code === 4);
is(out.code, 0, 'leaves the WebSocket open');
is(await online('crowd0'), false, 'its user is off line');
is((await signIn('ann', { sessionUUID: out.uuid })).error.code, 4, 'and it cannot be attached again');
await out.ask({ type: 'signIn', signIn: { username: 'crowd0', password: 'secret123' } }, 'authorized');
is(await online('crowd0'), true, 'but signs in by itself');

// A join on the WebSocket and a signOut over HTTP at once: nothing is left.
let clean = 0;
for (let n = 0; n < 20; n += 1) {
  const zoe = await waiting(1 + (n % 2));
  await signIn('zoe', { sessionUUID: zoe.uuid });
  await zoe.next('authorized');
  const second = (await signIn('zoe')).authorized;
  zoe.send({ type: 'channelJoin', id: 'j', channelJoin: { channel: 'zoo' } });
  await Promise.all([until('an answer', () => zoe.frames.some((f) => f.id === 'j')), post(url, 'signOut', { accessKey: second.accessKey, sessionUUID: zoe.uuid })]);
  await until('the sign-out', async () => (await zoe.ask({ type: 'users', id: 'z' }, 'error').catch(() => null))?.error.code === 4);
  await until('no record', async () => !await known(zoe.uuid) && await cli('HEXISTS', 'palaver:{c:zoo}:in', second.userUUID) === '0');
  clean += zoe.code === 0;
  zoe.ws.close();
}
is(clean, 20, 'a join and a signOut at once leave nothing behind');
is(await online('zoe'), false, 'and nobody on line');

// A bridge that dies takes its sessions along.
is(await online('crowd1'), true, 'a session of the other bridge is on line');
const orphan = await waiting(2);
await stop('b2', 'SIGKILL');
await until('the reaper', async () => await online('crowd1') === false, 15000);
ok(true, 'off line when its bridge was killed');
await until('the reaper', async () => !await known(orphan.uuid) && !await known(crowd[1].uuid), 15000);
ok(true, 'and its sessions are unknown');

// The UUID of a session that nobody has signed in is in no log.
const lone = await waiting(1);
await does('channelJoin', { uuid: lone.uuid, key: ann.key });
await signIn('ann', { sessionUUID: lone.uuid });
const logs = readdirSync(work).filter((f) => f.endsWith('.log')).map((f) => readFileSync(join(work, f), 'utf8')).join('');
ok(logs.includes('session') && !secrets.some((s) => logs.includes(s)), 'no sessionUUID is in a log');

// Without Redis ready comes nevertheless.
await stop('redis');
const alone = await waiting(1);
ok(alone.uuid, 'without Redis ready comes nevertheless');
await startRedis();
await until('Redis', async () => (await signIn('dora')).status === 200);
await until('the next incarnation', async () => (await signIn('dora', { sessionUUID: alone.uuid })).status === 200);
is((await alone.next('authorized')).type, 'authorized', 'and it can be attached when Redis is back');
await end('responder', 'b1');
