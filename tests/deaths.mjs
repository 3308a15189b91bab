// SPDX-License-Identifier: MIT
// Many sessions that end at once: all those over HTTP of one key, and those of
// many keys that expire within the same second.
import { startRedis, startResponder, startBridge, startNginx, redis, Client, ok, is, until, post, end, work } from './lib.mjs';

const SESSIONS = 400;
const CHANNELS = 4;
const KEYS = 600; // more than the bridge looks after at a time
const PASSWORD = 'secret123';
const env = {
  PALAVER_SIGN_IN_RATE: '0', PALAVER_MESSAGE_RATE: '0', PALAVER_NOTICE_RATE: '0', PALAVER_ADDRESS_CONNECTIONS: '0', PALAVER_PRESENCE_LEASE: '3000', PALAVER_PRESENCE_GRACE: '500',
};
await startRedis();
await startResponder('responder', env);
await startBridge('bridge', env);
const url = await startNginx(['responder'], ['bridge']);
const signIn = async (signIn) => (await post(url, 'signIn', { signIn })).authorized;
/** Calls fn with 0 to n - 1, some at a time; the results. */
async function each(n, fn) {
  const results = [];
  for (let i = 0; i < n; i += 20) results.push(...await Promise.all(Array.from({ length: Math.min(20, n - i) }, (_, k) => fn(i + k))));
  return results;
}

// ---- many sessions of one key ----

const watch = await Client.open(`ws+unix://${work}/bridge.sock:/ws`);
await watch.ask({ type: 'signIn', signIn: { username: 'watch', password: PASSWORD } }, 'authorized');
await watch.ask({ type: 'channelJoin', channelJoin: { channel: 'c0' } });
const first = await signIn({ username: 'ann', password: PASSWORD });
const other = await signIn({ username: 'ann', password: PASSWORD }); // with a key of its own
const sessions = (await each(SESSIONS, () => signIn({ accessKey: first.accessKey }))).map((a) => a.sessionUUID);
await each(SESSIONS, async (n) => {
  for (let c = 0; c < CHANNELS; c += 1) await post(url, 'channelJoin', { accessKey: first.accessKey, sessionUUID: sessions[n], channelJoin: { channel: `c${c}`, limit: 0 } });
});
is(redis('HGET', 'palaver:{c:c0}:in', first.userUUID), String(SESSIONS), `${SESSIONS} sessions are in ${CHANNELS} channels each`);
// A poll waits in each of some; which of them are among the first is not ours to say.
const polls = sessions.filter((_, n) => n % 25 === 0).map(async (sessionUUID) => {
  const ask = (since, wait) => post(url, 'events', { accessKey: first.accessKey, sessionUUID, events: { since, wait } });
  let events;
  do ({ events } = await ask(events?.cursor ?? [], 0)); while (events.frames.length || events.more);
  const reply = ask(events.cursor, 50);
  await until('a poll to wait', () => redis('HGET', `palaver:{sys}:s:${sessionUUID}`, 'w'));
  return { reply };
});
const waiting = await Promise.all(polls);
let at = Date.now();
is((await post(url, 'signOut', { accessKey: first.accessKey })).status, 200, 'their key is ended');
const asked = await each(SESSIONS, (n) => post(url, 'channelLeave', { accessKey: other.accessKey, sessionUUID: sessions[n], channelLeave: { channel: 'none' } }));
is(asked.filter((r) => r.error?.code === 4 && r.error.payload === 'sessionUUID').length, SESSIONS, `each of them is error 4 from then on (the last answer after ${Date.now() - at} ms)`);
await Promise.all(waiting.map((w) => w.reply));
ok(Date.now() - at < 10000, `the ${waiting.length} polls that waited are answered (${Date.now() - at} ms)`);
await until('all to be counted out', () => redis('HGET', 'palaver:{sys}:online', first.userUUID) === '1');
ok(Date.now() - at < 10000, `all are counted out after ${Date.now() - at} ms`);
is(redis('HGETALL', `palaver:{u:${first.userUUID}}:h`).split('\n').filter(Boolean).join(), [other.sessionUUID, redis('ZRANGE', `palaver:{u:${first.userUUID}}:k`, '0', '0')].join(), 'nothing is left of them');
is(Array.from({ length: CHANNELS }, (_, c) => redis('EXISTS', `palaver:{c:c${c}}:in`)).join(''), '1'.padEnd(CHANNELS, '0'), 'in no channel');
await until('the notice', () => watch.frames.some((f) => f.type === 'channelLeave' && f.userUUID === first.userUUID));
is(watch.frames.filter((f) => f.type === 'channelLeave' && f.userUUID === first.userUUID).length, 1, 'which is told once');
is((await post(url, 'channelLeave', { accessKey: other.accessKey, sessionUUID: other.sessionUUID })).status, 200, 'the session of another key lives on');

// ---- many keys that expire at once ----

const clients = await each(KEYS, async (n) => {
  const c = await Client.open(`ws+unix://${work}/bridge.sock:/ws`);
  c.user = (await c.ask({ type: 'signUp', signUp: { username: `user ${n}`, password: PASSWORD } }, 'authorized')).authorized.userUUID;
  return c;
});
const keys = clients.map((c) => `palaver:{u:${c.user}}:k`);
// They end at the same moment; the bridge learns that when it counts its
// sessions anew, because its connection to Redis broke.
at = Date.now() + 5000;
redis('EVAL', "for i = 1, #KEYS do redis.call('ZADD', KEYS[i], ARGV[1], redis.call('ZRANGE', KEYS[i], 0, 0)[1]) end", String(KEYS), ...keys, String(at));
const incarnation = () => redis('ZREVRANGE', 'palaver:{sys}:leases', '0', '0');
const before = incarnation();
redis('CLIENT', 'KILL', 'TYPE', 'normal');
await until('the bridge to count anew', () => incarnation() !== before && redis('SCARD', `palaver:{sys}:b:${incarnation()}`) === String(KEYS + 1));
ok(Date.now() < at && clients.every((c) => c.code === 0), `${KEYS} sessions whose keys end within the same moment are counted anew in time`);
await until('all to be closed', () => clients.every((c) => c.code));
const took = Date.now() - at;
is(clients.filter((c) => c.code === 4001).length, KEYS, 'then all are closed with 4001');
ok(took > -100 && took < 3000, `after ${took} ms`);
await until('all to be counted out', () => redis('HLEN', 'palaver:{sys}:online') === '2');
watch.ws.close();
await end('responder', 'bridge');
