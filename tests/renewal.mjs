// SPDX-License-Identifier: MIT
// The session that a request over HTTP names: every request that its user may
// make renews its lease; another user's is refused; one that is no more is an
// error where the request acts on it, and nothing elsewhere.
import { startRedis, startResponder, startBridge, startNginx, redis, Client, ok, is, post, end, work } from './lib.mjs';

const LEASE = 45000; // ms, as it comes
const PASSWORD = 'secret123';
const env = { PALAVER_SIGN_IN_RATE: '0', PALAVER_MESSAGE_RATE: '0' };
await startRedis();
await startResponder('responder', env);
await startBridge('bridge', env);
const url = await startNginx(['responder'], ['bridge']);

const signIn = async (username, more) => (await post(url, 'signIn', { signIn: { username, password: PASSWORD }, ...more })).authorized;
const ask = (who, type, payload, sessionUUID = who.sessionUUID) => post(url, type, { accessKey: who.accessKey, sessionUUID, [type]: payload });
/** What becomes of a lease that is nearly over, in ms. */
const left = (session) => Number(redis('ZSCORE', 'palaver:{sys}:polls', session)) - Date.now();
const shorten = (session) => redis('ZADD', 'palaver:{sys}:polls', 'XX', String(Date.now() + 10000), session);
const ending = async (who) => {
  const gone = await signIn(who);
  // As if its lease had run out: the reaper does no more than this to it.
  redis('DEL', `palaver:{sys}:s:${gone.sessionUUID}`);
  redis('ZREM', 'palaver:{sys}:polls', gone.sessionUUID);
  return gone;
};

const ann = await signIn('ann');
const bob = await signIn('bob');
const gone = await ending('ann');
const requests = [
  ['users', {}], ['users', { channel: '' }], ['channelMessage', { message: 'hello' }], ['channelRead', { seq: 1 }], ['channels', {}], ['channelMessages', {}],
  ['channelJoin', {}, true], ['channelLeave', {}, true], ['events', { wait: 0 }, true],
];
for (const [type, payload, acts] of requests) {
  shorten(ann.sessionUUID);
  is((await ask(ann, type, payload)).status, 200, `${type} ${JSON.stringify(payload)} with its session`);
  const lease = left(ann.sessionUUID);
  const wanted = type === 'events' ? 20000 : LEASE;
  ok(lease > wanted - 5000 && lease <= wanted + 50, `renews its lease: ${lease} ms`);
  shorten(bob.sessionUUID);
  const { error } = await ask(ann, type, payload, bob.sessionUUID);
  is(`${error?.code} ${error?.payload}`, '10 sessionUUID', "with another's it is error 10");
  ok(left(bob.sessionUUID) < 11000, 'which renews nothing');
  const dead = await ask(ann, type, payload, gone.sessionUUID);
  is(dead.error ? `${dead.error.code} ${dead.error.payload}` : dead.status, acts ? '4 sessionUUID' : 200, `with one that is no more it is ${acts ? 'error 4' : 'answered'}`);
  is(redis('EXISTS', `palaver:{sys}:s:${gone.sessionUUID}`), '0', 'which stays no more');
}
shorten(ann.sessionUUID);
is((await ask(ann, 'users', { limit: 'x' })).error.code, 3, 'what is no request of the protocol');
is((await post(url, 'users', { accessKey: `${ann.accessKey.slice(0, -4)}AAAA`, sessionUUID: ann.sessionUUID })).error.code, 4, 'or has no living key');
ok(left(ann.sessionUUID) < 11000, 'renews nothing');

// password acts on it; signOut ends it and the key, and the key where it is no more.
for (const [session, wanted] of [[bob.sessionUUID, '10 sessionUUID'], [gone.sessionUUID, '4 sessionUUID']]) {
  const { error } = await ask(ann, 'password', { password: PASSWORD, newPassword: 'secret456' }, session);
  is(`${error?.code} ${error?.payload}`, wanted, `password with such a session is error ${wanted}`);
}
shorten(ann.sessionUUID);
const { authorized } = await ask(ann, 'password', { password: PASSWORD, newPassword: PASSWORD });
ok(left(ann.sessionUUID) > LEASE - 5000, 'with its own it renews the lease');
is((await ask({ ...ann, ...authorized }, 'users', {})).status, 200, 'and gives a key');
is((await ask({ ...ann, ...authorized }, 'signOut', {}, gone.sessionUUID)).status, 200, 'signOut with one that is no more');
is((await post(url, 'users', { accessKey: authorized.accessKey })).error.code, 4, 'ends the key');

// A WebSocket that is nobody's, or somebody's, has no lease to renew.
const ws = await Client.open(`ws+unix://${work}/bridge.sock:/ws`);
const session = ws.frames[0].ready.sessionUUID;
is((await ask(bob, 'users', {}, session)).status, 200, "a WebSocket's session that is nobody's is as good as none");
is((await ask(await signIn('carl'), 'signOut', {}, session)).status, 200, 'for signOut as well');
is(redis('EXISTS', `palaver:{sys}:s:${session}`), '1', 'which leaves it alone');
await signIn('bob', { sessionUUID: session });
is((await ask(bob, 'users', {}, session)).status, 200, 'once it is signed in it may be named');
is(redis('ZSCORE', 'palaver:{sys}:polls', session), '', 'and has no lease');
ws.ws.close();
await end('responder', 'bridge');
