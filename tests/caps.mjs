// SPDX-License-Identifier: MIT
// What a log keeps: by number, by bytes (counted exactly) and by age; how many
// conversations a user has; the bounds of the requests that read them.
import { execFileSync } from 'node:child_process';
import { startRedis, startResponder, startBridge, startNginx, Client, ok, is, until, post, end, work } from './lib.mjs';

const BYTES = 131072;
const settings = { PALAVER_MESSAGE_RATE: '0', PALAVER_REQUEST_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_HISTORY: '100', PALAVER_HISTORY_BYTES: String(BYTES) };
await startRedis();
await startResponder('responder', settings);
await startBridge('bridge', settings);
const url = await startNginx(['responder'], ['bridge']);
const redis = (...args) => execFileSync('redis-cli', ['-s', `${work}/redis.sock`, ...args], { encoding: 'utf8' }).trim();
const { authorized: ann } = await post(url, 'signIn', { signIn: { username: 'ann', password: 'secret123' } });
const say = (channel, message) => post(url, 'channelMessage', { accessKey: ann.accessKey, channelMessage: { channel, message } });

/** Of a log: events, their bytes, and the bytes that its meta counts. */
function log(scope, part = '') {
  const name = `palaver:{${scope}}${part}`;
  const sum = "local n, t = 0, redis.call('LRANGE', KEYS[1], 0, -1) for i = 1, #t do n = n + #t[i] end return n";
  return { n: Number(redis('llen', `${name}:l`)), bytes: Number(redis('eval', sum, '1', `${name}:l`)), counted: Number(redis('hget', `${name}:m`, 'z')) };
}

// By bytes: short and long messages, escaped ones, and the largest there can be.
const texts = ['x', '"'.repeat(4096), 'y'.repeat(100), '😀'.repeat(4096), '"'.repeat(2000), '\n'.repeat(4096), 'z'.repeat(4096), 'é'.repeat(7)];
let worst = 0;
let exact = true;
for (let k = 0; k < 80; k += 1) {
  const r = await say('bytes', texts[k % texts.length]);
  if (r.status !== 200) ok(false, 'a message is stored', JSON.stringify(r));
  const l = log('c:bytes');
  worst = Math.max(worst, l.bytes);
  exact &&= l.bytes === l.counted;
}
ok(exact, 'the bytes of a log are counted exactly');
ok(worst <= BYTES && worst > BYTES / 2, 'and never more than history_bytes', String(worst));
const page = (await post(url, 'channelMessages', { accessKey: ann.accessKey, channelMessages: { channel: 'bytes', limit: 100 } })).channelMessages;
is(page.messages.map((m) => m.seq).join(), Array.from({ length: page.messages.length }, (_, i) => 80 - page.messages.length + 1 + i).join(), 'the newest are kept, with no hole');
is(page.more, false, 'and what was dropped is not promised');

// By number, a little more than the setting between two cuts.
for (let k = 0; k < 170; k += 1) await say('number', 'x');
let l = log('c:number');
ok(l.n >= 100 && l.n < 164 && l.bytes === l.counted, 'by number', JSON.stringify(l));

// By age: what is older than history_days goes as others come.
for (let k = 0; k < 40; k += 1) await say('age', `${k}`);
redis('eval', `for i = 0, 19 do local f = redis.call('LINDEX', KEYS[1], i)
  redis.call('LSET', KEYS[1], i, (f:gsub('"CreatedAt":"%d%d%d%d', '"CreatedAt":"2001'))) end`, '1', 'palaver:{c:age}:l');
for (let k = 0; k < 16; k += 1) await say('age', 'more');
l = log('c:age');
ok(l.n === 36 && l.bytes === l.counted, 'by age', JSON.stringify(l));
ok(Number(redis('pttl', 'palaver:{c:age}:l')) > 29 * 86400000 && Number(redis('pttl', 'palaver:{c:age}:m')) > 59 * 86400000, 'a silent channel is forgotten whole');

// What is known of a channel in which nothing was ever said ends soon after all have left it.
const MINUTE = 60000;
const known = (scope) => Number(redis('pttl', `palaver:{${scope}}:m`)) / MINUTE;
const forMinutes = (scope, what) => ok(known(scope) > 0 && known(scope) <= 20, `${what}: known for minutes`, `${known(scope)}`);
const forDays = (scope, days, what) => ok(known(scope) > days * 1440, `${what}: for long`, `${known(scope)}`);
const { authorized: bob } = await post(url, 'signIn', { signIn: { username: 'bob', password: 'secret123' } });
const act = async (who, type, channel) => {
  const r = await post(url, type, { accessKey: who.accessKey, sessionUUID: who.sessionUUID, [type]: channel });
  if (r.status !== 200) ok(false, type, JSON.stringify(r));
};
const silent = { channel: 'silent' };
await act(ann, 'channelJoin', silent);
await act(bob, 'channelJoin', silent);
await act(ann, 'channelLeave', silent);
forDays('c:silent', 29, 'a channel without messages that somebody is in');
await act(bob, 'channelLeave', silent);
forMinutes('c:silent', 'one that all have left');
await act(bob, 'channelJoin', silent);
forDays('c:silent', 29, 'one to which somebody came back');
await say('silent', 'x');
await act(bob, 'channelLeave', silent);
forDays('c:silent', 59, 'one in which something was said');
const notes = `p:${ann.userUUID}:${ann.userUUID}`;
await act(ann, 'channelMessages', { recipientUUID: ann.userUUID });
is(redis('exists', `palaver:{${notes}}:m`), '0', 'a private one that is only read is not made');
await act(ann, 'channelJoin', { recipientUUID: ann.userUUID });
await act(ann, 'channelLeave', { recipientUUID: ann.userUUID });
forMinutes(notes, 'one that was left');

// A log whose bytes were never counted, and that is too large.
for (let k = 0; k < 12; k += 1) await say('old', 'x');
redis('eval', "for i = 1, 50 do redis.call('LPUSH', KEYS[1], string.rep('o', 4000)) end redis.call('HDEL', KEYS[2], 'z')", '2', 'palaver:{c:old}:l', 'palaver:{c:old}:m');
await say('old', 'new');
l = log('c:old');
ok(l.bytes === l.counted && l.bytes <= BYTES && l.n > 13, 'bytes never counted are counted once, and cut', JSON.stringify(l));

// Logs of notices too.
const ws = await Client.open(`${url.replace('http', 'ws')}/ws`);
await ws.ask({ type: 'signIn', signIn: { accessKey: ann.accessKey } }, 'authorized');
for (let k = 0; k < 30; k += 1) {
  await ws.ask({ type: 'channelJoin', channelJoin: { channel: 'number' } });
  await ws.ask({ type: 'channelRead', channelRead: { channel: 'number', seq: k } });
  await ws.ask({ type: 'channelLeave', channelLeave: { channel: 'number' } });
}
for (const [scope, part, what] of [['c:number', '~', "a channel's notices"], [`u:${ann.userUUID}`, '', "a user's notices"], ['sys', '', "everyone's notices"]]) {
  l = log(scope, part);
  ok(l.n > 0 && l.bytes === l.counted, `${what}: counted exactly`, JSON.stringify(l));
  const ttl = Number(redis('pttl', `palaver:{${scope}}${part}:l`));
  ok(ttl > 0 && ttl <= 600000, `${what}: for minutes`, String(ttl));
}
redis('eval', "local z = 0 for i = 1, 1500 do z = z + 900 redis.call('RPUSH', KEYS[1], string.rep('n', 900)) end redis.call('HSET', KEYS[2], 'z', redis.call('HGET', KEYS[2], 'z') + z)", '2', `palaver:{u:${ann.userUUID}}:l`, `palaver:{u:${ann.userUUID}}:m`);
for (let k = 30; k < 40; k += 1) await ws.ask({ type: 'channelRead', channelRead: { channel: 'number', seq: k } });
l = log(`u:${ann.userUUID}`);
ok(l.n < 1064 && l.bytes === l.counted, 'at most a thousand or so of them', JSON.stringify(l));

// Conversations: the newest 1000, and what was read of those alone.
const own = `palaver:{u:${ann.userUUID}}`;
redis('eval', "for i = 1, 1200 do redis.call('ZADD', KEYS[1], i, 'c:z' .. i) redis.call('HSET', KEYS[2], 'c:z' .. i, 1) end", '2', `${own}:c`, `${own}:s`);
await say('newest', 'x');
is(redis('zcard', `${own}:c`), '1000', 'a user has the newest 1000 conversations');
is(redis('zscore', `${own}:c`, 'c:z1') + redis('hget', `${own}:s`, 'c:z1'), '', 'the oldest are gone, and what was read of them');
is(redis('hget', `${own}:s`, 'c:z1200'), '1', 'the others are not');
const list = (await post(url, 'channels', { accessKey: ann.accessKey, channels: { limit: 2 } })).channels;
is(`${list.total} ${list.channels[0].channel} ${list.channels.length}`, '1000 newest 2', 'channels says so');

// Bounds, over both.
let ids = 0;
const over = async (via, type, payload) => {
  if (via === 'HTTP') return post(url, type, { accessKey: ann.accessKey, [type]: payload });
  ids += 1;
  ws.send({ type, id: `b${ids}`, [type]: payload });
  return until('an answer', () => ws.frames.find((f) => f.id === `b${ids}`));
};
const beyond = [
  ['channelMessages', { limit: 101 }, 'limit'], ['channelMessages', { limit: -1 }, 'limit'], ['channelMessages', { before: 0 }, 'before'],
  ['channelMessages', { before: 1e15 }, 'before'], ['channelMessages', { before: [] }, 'before'], ['channelMessages', { before: 'x' }, 'before'],
  ['channelMessages', { channel: 'Upper' }, 'channel'], ['channelMessages', { recipientUUID: 'x' }, 'recipientUUID'],
  ['channels', { limit: 201 }, 'limit'], ['channels', { limit: -1 }, 'limit'], ['channels', { offset: -1 }, 'offset'], ['channels', { offset: 2 ** 31 }, 'offset'],
  ['channelRead', {}, 'seq'], ['channelRead', { seq: -1 }, 'seq'], ['channelRead', { seq: 1e15 }, 'seq'], ['channelRead', { seq: 1.5 }, 'seq'],
  ['channelRead', { seq: 1, channel: 'x', recipientUUID: ann.userUUID }, 'channel'], ['users', { channel: 7 }, 'channel'],
  ['users', { recipientUUID: 'x' }, 'recipientUUID'],
];
const within = [
  ['channelMessages', { limit: 100 }], ['channelMessages', { limit: 0 }], ['channelMessages', { before: 1 }], ['channelMessages', { before: 999999999999999 }],
  ['channelMessages', { before: '' }], ['channels', { limit: 200, offset: 2 ** 31 - 1 }], ['channels', { limit: 0 }], ['channelRead', { seq: 0 }],
  ['channelRead', { seq: 999999999999999 }], ['users', { recipientUUID: '', channel: '', limit: 1000 }], ['users', { recipientUUID: null }],
];
for (const via of ['WebSocket', 'HTTP']) {
  for (const [type, payload, field] of beyond) {
    const { error } = await over(via, type, payload);
    is(`${error?.code} ${error?.payload}`, `3 ${field}`, `${via}: ${type} ${JSON.stringify(payload)} is error 3`);
  }
  for (const [type, payload] of within) ok((await over(via, type, payload))[type], `${via}: ${type} ${JSON.stringify(payload)} is not`);
}
ws.ws.close();
await end('responder', 'bridge');
