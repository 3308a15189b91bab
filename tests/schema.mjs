// SPDX-License-Identifier: MIT
// The schema of the data in Redis: written into an empty one, an older one is
// migrated, a newer one is left alone until that changes.
import { readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { startRedis, startResponder, startBridge, startNginx, stop, Client, ok, is, until, post, end, work } from './lib.mjs';

const redis = (...args) => execFileSync('redis-cli', ['-s', `${work}/redis.sock`, ...args], { encoding: 'utf8' }).trim();
const SCHEMA = 'palaver:{sys}:schema';
await startRedis();
await startResponder('responder');
await startBridge('bridge');
const url = await startNginx(['responder'], ['bridge']);
const ours = redis('get', SCHEMA);
ok(Number(ours) >= 2, 'an empty database gets our schema');
const ann = (await post(url, 'signIn', { signIn: { username: 'ann', password: 'secret123' } })).authorized;
const sent = await post(url, 'channelMessage', { accessKey: ann.accessKey, channelMessage: { message: 'kept' } });
is(sent.status, 200, 'a message');

// Data of schema 1: no mark, UUIDs of messages in a sorted set.
await stop('responder');
await stop('bridge');
redis('del', SCHEMA);
redis('hdel', 'palaver:{g}:m', 'z');
for (let n = 0; n < 2500; n += 500) redis('eval', `for i = 1, 500 do redis.call('ZADD', 'palaver:{c:old' .. ARGV[1] + i .. '}:d:${ann.userUUID}', 1, 'x') end`, '0', String(n));
redis('zadd', `palaver:{g}:d:${ann.userUUID}`, '1', sent.channelMessage.UUID);
await startResponder('responder');
await startBridge('bridge');
const again = await post(url, 'channelMessage', { accessKey: ann.accessKey, channelMessage: { message: 'more', UUID: sent.channelMessage.UUID } });
is(again.channelMessage?.seq, 2, 'data of schema 1 is migrated: writes go on');
const history = await post(url, 'channelMessages', { accessKey: ann.accessKey });
is(history.channelMessages.messages.map((m) => m.Message).join(), 'kept,more', 'and nothing of it is lost');
is(redis('get', SCHEMA), ours, 'it has our schema then');
is(redis('keys', '*}:d:*').split('\n').filter((k) => redis('type', k) === 'zset').length, 0, 'what has another form is gone');

// Data of a newer program.
const ws = await Client.open(`${url.replace('http', 'ws')}/ws`);
await ws.ask({ type: 'signIn', signIn: { accessKey: ann.accessKey } }, 'authorized');
await stop('responder');
await stop('bridge');
redis('set', SCHEMA, '99');
const keys = () => redis('dbsize');
const before = keys();
await startResponder('responder');
await startBridge('newer', {}, 0, false);
const refused = await until('a refusal', async () => {
  const r = await post(url, 'users', { accessKey: ann.accessKey });
  return r.error && r;
});
is(refused.error.code, 20, 'newer data: every operation answers error 20');
const health = await (await fetch(`${url}/api/health`)).json();
is(health.error.payload, 'the data in Redis is of a newer version', 'health says why');
is((await post(url, 'signIn', { signIn: { username: 'bob', password: 'secret123' } })).error.code, 20, 'no account is made');
is(keys(), before, 'it is left alone');
const log = () => readFileSync(`${work}/responder.log`, 'utf8').match(/schema 99/g)?.length;
is(log(), 1, 'the log says it once');
ok(/schema 99/.test(readFileSync(`${work}/newer.log`, 'utf8')), "so does the bridge's");
redis('set', SCHEMA, ours);
await until('it to come back', async () => (await post(url, 'users', { accessKey: ann.accessKey })).status === 200);
ok(true, 'it comes back by itself when that changes');
await end('responder', 'newer');
