// SPDX-License-Identifier: MIT
// What is kept and for how long: sending twice is sending once, whatever became
// of the history; accounts have a bound; every key a cap or a TTL; and a Redis
// that is out of memory refuses whole and harms nothing.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { startRedis, startResponder, startBridge, startNginx, stop, Client, ok, is, until, post, end, work, top } from './lib.mjs';

const redis = (...args) => execFileSync('redis-cli', ['-s', `${work}/redis.sock`, ...args], { encoding: 'utf8' }).trim();
const saved = ['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction'];
const settings = { PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_MAX_USERS: '8', PALAVER_HISTORY: '5', PALAVER_PRESENCE_GRACE: '100' };
await startRedis(...saved);
await startResponder('responder', settings);
await startBridge('bridge', settings);
const url = await startNginx(['responder'], ['bridge']);
const signIn = async (username) => {
  const r = await post(url, 'signIn', { signIn: { username, password: 'secret123' } });
  return { ...r.authorized, error: r.error, say: (type, payload, more = {}) => post(url, type, { accessKey: r.authorized.accessKey, [type]: payload, ...more }) };
};

// ---- sending twice is sending once ----
const ann = await signIn('ann');
const bob = await signIn('bob');
const UUID = randomUUID();
const first = await ann.say('channelMessage', { message: 'once', UUID });
is(first.channelMessage.seq, 1, 'a message with a UUID of its client');
await ann.say('channelMessage', { message: 'between', UUID: randomUUID() });
is(JSON.stringify(await ann.say('channelMessage', { message: 'once', UUID })), JSON.stringify(first), 'sent again after another one: the first answer');
is((await bob.say('channelMessage', { message: 'mine', UUID })).channelMessage.seq, 3, "another's UUID is another's");
is((await ann.say('channelMessage', { message: 'once', UUID, channel: 'other' })).channelMessage.seq, 1, 'and in another channel it is another message');
for (let n = 0; n < 80; n += 1) await bob.say('channelMessage', { message: `m${n}` });
ok(!redis('lrange', 'palaver:{g}:l', '0', '-1').includes(UUID), 'the history has dropped it');
is(JSON.stringify(await ann.say('channelMessage', { message: 'once', UUID })), JSON.stringify(first), 'sent again: the first answer still');
const many = await Promise.all(Array.from({ length: 20 }, () => ann.say('channelMessage', { message: 'at once', UUID: ann.sessionUUID })));
is(new Set(many.map((r) => r.channelMessage.seq)).size, 1, 'twenty at once are one');
const seq = redis('hget', 'palaver:{g}:m', 's');
const ttl = Number(redis('pttl', `palaver:{g}:d:${ann.userUUID}`));
ok(ttl > 3500000 && ttl <= 3600000, 'it is known for an hour from the last one on');
await stop('redis');
await startRedis(...saved);
await until('Redis to be back', async () => (await ann.say('users', {})).status === 200);
is(JSON.stringify(await ann.say('channelMessage', { message: 'once', UUID })), JSON.stringify(first), 'another Redis process, another epoch: the first answer');
is(redis('hget', 'palaver:{g}:m', 's'), seq, 'nothing of all that was stored again');
const ws = await Client.open(`${url.replace('http', 'ws')}/ws`);
await until('the bridge to be back', async () => (await ws.ask({ type: 'signIn', id: 'in', signIn: { accessKey: ann.accessKey } }, 'authorized').catch(() => null)));
await ws.ask({ type: 'channelJoin' });
is((await ws.ask({ type: 'channelMessage', id: 'x', channelMessage: { message: 'once', UUID } }, 'ack')).ack.seq, 1, 'on a WebSocket the first ack');

// The oldest give way: the number is bounded.
const known = `palaver:{c:bound}:d:${ann.userUUID}`;
for (let n = 0; n < 12000; n += 1000) {
  redis('eval', `local k, n = KEYS[1], tonumber(ARGV[1]) for i = n, n + 999 do redis.call('HSET', k, string.format('%08d-0000-4000-8000-000000000000', i), (1700000000000000 + i) .. ' abc ' .. i) end`, '1', known, String(n));
}
await ann.say('channelMessage', { message: 'one more', UUID, channel: 'bound' });
const left = Number(redis('hlen', known));
ok(left <= 9000 && left > 0, 'UUIDs are bounded in number', String(left));
is(redis('hexists', known, UUID), '1', 'the newest stay');

// ---- every key has a cap or a TTL ----
await ann.say('channelMessage', { message: 'psst', recipientUUID: bob.userUUID, UUID: randomUUID() });
await ann.say('channelJoin', { channel: 'named' }, { sessionUUID: ann.sessionUUID });
await ann.say('channelRead', { seq: 3 });
await ann.say('channelLeave', { channel: 'named' }, { sessionUUID: ann.sessionUUID });
await ann.say('events', { sessionUUID: ann.sessionUUID, wait: 0 });
await post(url, 'signIn', { signIn: { username: 'ann', password: 'wrong password' } });
await ws.ask({ type: 'channelJoin', channelJoin: { recipientUUID: bob.userUUID } });
const capped = [
  [/^\{sys\}:(schema)$/, 'one of each'],
  [/^\{sys\}:(names|who|users|shown|online)$/, 'max_users'],
  [/^\{u:[^}]*\}$/, 'one a user: max_users'],
  [/^\{u:[^}]*\}:[cs]$/, 'conversations of a user: 1000'],
  [/^\{sys\}:(leases|dead|polls|due|b:.*|s:.*)$/, 'sessions: reaped'],
  [/^\{u:[^}]*\}:h$/, 'HTTP sessions of a user: reaped'],
  [/^\{(g|p:[^}]*|c:[^}]*)\}:(in|by)$/, 'people in a channel: max_users, reaped'],
];
const keys = redis('--scan').split('\n');
const endless = keys.filter((k) => redis('pttl', k) === '-1' && !capped.some(([p]) => p.test(k.replace(/^palaver:/, ''))));
ok(keys.length > 20, `${keys.length} keys`);
is(endless.join(' '), '', 'each has a TTL or is bounded by what it counts');

// ---- accounts ----
const names = Array.from({ length: 6 }, (_, n) => `user${n}`);
for (const n of names) is((await signIn2(n)).status, 200, `${n} signs up`);
async function signIn2(username, type = 'signUp') {
  return post(url, type, { [type]: { username, password: 'secret123' } });
}
for (const type of ['signUp', 'signIn']) {
  const r = await signIn2('onetoomany', type);
  is(`${r.status} ${r.error?.code} ${r.error?.payload}`, '503 21 users', `beyond max_users ${type} is error 21`);
}
is((await signIn2('ann', 'signIn')).status, 200, 'who has an account signs in');

// ---- out of memory ----
const counts = () => ['{g}:m', '{sys}:names', '{sys}:online'].map((k) => redis('hgetall', `palaver:${k}`)).join();
const length = () => redis('llen', 'palaver:{g}:l');
const other = await Client.open(`${url.replace('http', 'ws')}/ws`);
await other.ask({ type: 'signIn', signIn: { accessKey: bob.accessKey } }, 'authorized');
await other.ask({ type: 'channelJoin' });
const stood = counts();
const had = length();
redis('config', 'set', 'maxmemory', '1');
const fresh = randomUUID();
is((await ann.say('channelMessage', { message: 'no room', UUID: fresh })).error?.code, 20, 'without memory a message over HTTP is error 20');
is((await ws.ask({ type: 'channelMessage', id: 'y', channelMessage: { message: 'no room' } }, 'error')).error.code, 20, 'and on a WebSocket');
// Redis 6 refuses a script not before its first write, and max_users is looked at
// before that.
const modern = Number(redis('info', 'server').match(/redis_version:(\d+)/)[1]) >= 7;
is((await signIn2('another', 'signUp')).error.code, modern ? 20 : 21, 'no account is made');
is(`${counts()} ${length()}`, `${stood} ${had}`, 'nothing half is stored');
is((await ann.say('users', {})).status, 200, 'what only reads is answered');
is((await ann.say('channelMessages', {})).channelMessages?.messages.length > 0, true, 'history too');
const online = () => redis('hget', 'palaver:{sys}:online', bob.userUUID);
const was = Number(online());
other.ws.close();
await until('the count', () => Number(online()) === was - 1);
ok(true, 'who leaves is counted out');
is((await bob.say('signOut', {})).status, 200, 'signOut is answered');
redis('config', 'set', 'maxmemory', '0');
const stored = await ann.say('channelMessage', { message: 'no room', UUID: fresh });
is(stored.channelMessage?.Message, 'no room', 'with memory again the same UUID is stored');
is((await ann.say('channelMessage', { message: 'no room', UUID: fresh })).channelMessage.seq, stored.channelMessage.seq, 'once');

// The form for Redis before 7, where only the first write is looked at.
const text6 = (name) => {
  const shared = execFileSync('sh', [`${top}/common/embed-lua.sh`, 'shared', `${top}/common/lua`], { encoding: 'utf8' });
  const own = readFileSync(`${top}/common/lua/${name}.lua`, 'utf8');
  return shared + (/^-- runs without memory$/m.test(own) ? "\ncall('DEL', SYS .. 'nothing')\n" : '') + own;
};
const node = redis('info', 'server').match(/run_id:(.{8})/)[1];
const run6 = (name, ...args) => {
  try {
    return redis('eval', text6(name), '0', node, 'palaver:', 'palaver:0:', ...args);
  } catch (e) {
    return String(e.stderr ?? e);
  }
};
redis('config', 'set', 'maxmemory', '1');
const s = redis('hget', 'palaver:{g}:m', 's');
const message = (uuid) => run6('channel_message', ann.userUUID, keyHash(), '2592000000', 'g', '', uuid, '1', '"six"', '100', '2592000000', '0', '1', '8388608', '3600000', '12000', '');
function keyHash() {
  return redis('zrange', `palaver:{u:${ann.userUUID}}:k`, '-1', '-1');
}
ok(/OOM/.test(message(randomUUID())), 'the form for Redis 6: refused at its first write');
is(redis('hget', 'palaver:{g}:m', 's'), s, 'and nothing was written');
ok(/OK/.test(run6('since', 'g', '', '0', '5', '1000')), 'a read runs');
ok(/OK/.test(run6('gone', randomUUID(), '0')), 'and what counts down');
redis('config', 'set', 'maxmemory', '0');
ok(/six/.test(message(randomUUID())), 'with memory it is stored');
ws.ws.close();
await end('responder', 'bridge');
