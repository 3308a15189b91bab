// SPDX-License-Identifier: MIT
// The seed's defects, numbered as they were found, each with a test that would
// catch it here.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { createConnection } from 'node:net';
import { top, work, startRedis, startResponder, startBridge, startNginx, stop, post, Client, ok, is, until, end } from './lib.mjs';

const env = { PALAVER_PRESENCE_GRACE: '300', PALAVER_PRESENCE_LEASE: '600', PALAVER_LOG_LEVEL: 'debug', PALAVER_MESSAGE_RATE: '0', PALAVER_NOTICE_RATE: '0' };
const PASSWORD = 'Pass.word-of-the-seed';
const same = (got, wanted, what) => is(JSON.stringify(got), JSON.stringify(wanted), what);

/** A connection whose ask gives the reply to that very request. */
let asked = 0;
async function open(options, at = ws) {
  const c = await Client.open(at, options);
  c.ask = (frame) => {
    const id = frame.id ?? `asked ${asked += 1}`;
    c.send({ ...frame, id });
    return until(`the reply to ${frame.type}`, () => c.frames.find((f) => f.id === id));
  };
  return c;
}

// 44: Redis is down when the programs start.
await startResponder('responder', env);
await startBridge('bridge', env, 0, false);
await startBridge('strict', { ...env, PALAVER_SIGN_IN_WITHIN: '2', PALAVER_MESSAGE_RATE: '2/600', PALAVER_SIGN_UP_RATE: '2/600' }, 0, false);
const url = await startNginx(['responder'], ['bridge'], 'nginx', 503);
const ws = `${url.replace('http', 'ws')}/ws`;
const lost = await open();
is((await lost.ask({ type: 'signIn', signIn: { username: 'ann', password: PASSWORD } })).error.code, 20, '44: Redis down at the start: a connection is answered');
is((await post(url, 'signIn', { signIn: { username: 'ann', password: PASSWORD } })).status, 503, '44: and a request');
await startRedis('--rdbcompression', 'no');
await until('health', () => fetch(`${url}/api/health`).then((r) => r.ok));
const redis = (...command) => execFileSync('redis-cli', ['-s', `${work}/redis.sock`, ...command], { encoding: 'latin1' });
const authorized = await until('a sign-in', async () => (await lost.ask({ type: 'signIn', signIn: { username: 'ann', password: PASSWORD } })).authorized);
const ann = Object.assign(lost, { uuid: authorized.userUUID, key: authorized.accessKey });
ok(true, '44: all works when Redis comes');

async function signed(name, at) {
  const c = await open({}, at);
  const { authorized } = await c.ask({ type: 'signIn', signIn: { username: name, password: PASSWORD } });
  return Object.assign(c, { uuid: authorized.userUUID, key: authorized.accessKey, session: authorized.sessionUUID });
}
const join = (channel = {}) => ({ type: 'channelJoin', channelJoin: channel });
const message = (text, more) => ({ type: 'channelMessage', channelMessage: { message: text, ...more } });
const bob = await signed('bob');
const carol = await signed('carol');
const online = async () => (await ann.ask({ type: 'users', users: { online: true } })).users.users.map((u) => u.Username);

// ---- security ----

await ann.ask(join());
const tells = (text) => text.includes(PASSWORD) || text.includes('argon2') || /"password/i.test(text);
ok(!tells(JSON.stringify(await bob.ask(join()))), '1: the reply to channelJoin holds no password, nor its hash');
await until('the join', () => ann.frames.some((f) => f.sys?.channelJoin && f.userUUID === bob.uuid));
ok(!ann.raw.some(tells), '2: nor does the notice of the join');
is((await post(url, 'channelMessage', { userUUID: ann.uuid, channelMessage: { message: 'x' } })).status, 401, '3: a userUUID without a key is nobody');
is((await post(url, 'channelMessage', { accessKey: `${ann.uuid}.${'A'.repeat(43)}`, userUUID: ann.uuid, channelMessage: { message: 'x' } })).status, 401, '3: a wrong key is nobody');
is((await post(url, 'channelMessage', { accessKey: bob.key, userUUID: ann.uuid, channelMessage: { message: 'x' } })).channelMessage.SenderUUID, bob.uuid, '4: nobody posts as another');
const nobody = await open();
is((await nobody.ask({ ...message('x'), userUUID: ann.uuid })).error.code, 4, '4: nor without signing in');
await ann.ask(message('between us', { recipientUUID: bob.uuid }));
for (const other of [ann, bob]) {
  const reply = await carol.ask({ ...join({ recipientUUID: other.uuid }), userUUID: ann.uuid });
  ok(!JSON.stringify(reply).includes('between us'), "5: a private channel of two is not a third one's to open");
}
await carol.ask({ type: 'signOut', userUUID: ann.uuid, signOut: { uuid: ann.uuid, userUUID: ann.uuid } });
is((await ann.ask({ type: 'users', users: { limit: 0 } })).type, 'users', '6: nobody signs another out');
const carol2 = await signed('carol');
is((await nobody.ask({ type: 'signUp', signUp: { username: 'ann', password: 'another password' } })).error.code, 6, '7: signUp of an existing name authorizes nobody');
is((await post(url, 'signIn', { signIn: { username: 'ann', password: 'another password' } })).status, 403, '7: and changes no password');
redis('SAVE');
const stored = readFileSync(`${work}/dump.rdb`, 'latin1');
ok(stored.includes('$argon2id$') && !stored.includes(PASSWORD), '8: passwords are stored as Argon2id, not in clear');
ok(![ann, bob].some((c) => stored.includes(c.key.slice(37))), '8: nor are access keys');
const secret = await open();
await secret.ask({ ...message('relay'), accessKey: ann.key, userAccessKey: ann.key });
await ann.ask({ ...message('relay'), userAccessKey: ann.key });
await until('the message', () => bob.frames.some((f) => f.channelMessage?.Message === 'relay'));
await ann.ask({ type: 'channelLeave', channelLeave: {}, accessKey: ann.key, userAccessKey: ann.key });
await until('the leave', () => bob.frames.some((f) => f.type === 'channelLeave' && f.userUUID === ann.uuid));
ok(!bob.raw.some((t) => t.includes(ann.key) || t.includes('AccessKey":"') && !t.includes('authorized')), "10: an accessKey in a message or a channelLeave reaches nobody");
await ann.ask(join());
const types = ['signIn', 'signUp', 'signOut', 'users', 'channelJoin', 'channelLeave', 'channelMessage', 'ready', 'sys', 'error', ''];
for (const type of types) {
  for (const c of [nobody, carol2]) {
    for (const more of [{}, { [type]: null }, { [type]: {} }, { [type]: [] }, { [type]: 7 }]) c.send({ type, ...more });
  }
}
is((await nobody.ask({ type: 'nosuch' })).error.code, 2, '11: requests without their payload end nothing');
for (let i = 0; i < 20; i += 1) {
  for (const c of [ann, bob]) c.send(join({ channel: 'both' }));
  for (const c of [ann, bob]) c.send({ type: 'channelLeave', id: `l${i}`, channelLeave: { channel: 'both' } });
}
await Promise.all([ann, bob].map((c) => until('the leaves', () => c.frames.some((f) => f.id === 'l19'))));
ok(true, '12: two who leave one channel at once end nothing');
const foreign = await open({ origin: 'http://evil.example' });
ok(/403/.test(foreign.error?.message), '13: a foreign origin is refused');
const big = await open();
big.ws.send('x'.repeat(65537));
is(await until('the close', () => big.code), 1009, '14: a message has a size limit');
const half = createConnection(`${work}/strict.sock`).resume();
half.on('error', () => {}).write('GET /ws HTTP/1.1\r\nHost: x\r\n');
await until('its end', () => half.closed);
ok(true, '14: who sends half a request is not waited for');
is((await nobody.ask({ type: 'users' })).error.code, 4, '15: users needs somebody signed in');
const echo = await open();
for (const text of [`{"signIn":{"password":"${PASSWORD}"}`, `{"type":"${PASSWORD}"}`, `{"type":"signIn","signIn":{"username":"${PASSWORD}\\u0007","password":"${PASSWORD}"}}`]) echo.send(text);
await until('three errors', () => echo.frames.filter((f) => f.error).length === 3);
ok(!echo.raw.some((t) => t.includes(PASSWORD)), '16: an error echoes nothing of the request');
const days = (Number(redis('PTTL', `palaver:{u:${ann.uuid}}:k`)) / 86400000);
ok(days > 29.9 && days <= 30, '17: access keys end', `${days}`);
const dave = await signed('dave');
await dave.ask({ type: 'signOut' });
is((await post(url, 'users', { accessKey: dave.key })).status, 401, '17: signOut ends the key');
let refused = 0;
for (let i = 0; i < 12; i += 1) refused += (await post(url, 'signIn', { signIn: { username: 'dave', password: 'guess after guess' } })).status === 429;
is(refused, 2, '18: guesses at a password are limited');
const many = [];
for (let i = 0; i < 4; i += 1) {
  const c = await Client.open(`ws+unix://${work}/strict.sock:/ws`, { headers: { 'X-Forwarded-For': '192.0.2.1' } });
  c.send({ type: i % 2 ? 'signIn' : 'signUp', id: 'i', [i % 2 ? 'signIn' : 'signUp']: { username: `many${i}`, password: PASSWORD } });
  many.push(Object.assign(c, { reply: await until('a reply', () => c.frames.find((f) => f.id === 'i')) }));
}
same(many.map((c) => c.reply.error?.code ?? c.reply.authorized.created), [true, true, 9, 9], '18: so are new users');
for (let i = 0; i < 3; i += 1) many[0].send({ ...message('many', { channel: 'many' }), id: `m${i}` });
same((await until('three replies', () => [0, 1, 2].every((i) => many[0].frames.some((f) => f.id === `m${i}`)) && many[0].frames)).filter((f) => /^m/.test(f.id)).map((f) => f.error?.code ?? f.type), ['ack', 'ack', 9], '18: and messages');
for (const c of many) c.ws.close();
for (const [username, password] of [['', PASSWORD], ['x', ''], ['x', 'short'], ['\u202e', PASSWORD]]) {
  is((await post(url, 'signUp', { signUp: { username, password } })).status, 400, `19: ${JSON.stringify([username, password])} is refused`);
}
for (const text of ['', 'x'.repeat(5000), 7]) is((await ann.ask(message(text))).error.payload, 'message', '19: so is a message that is none');
const odd = ['a.b', 'a.b.c', '{sys}', '*', 'a:b', '{u:x}:k'];
const oddly = [];
for (const username of odd) oddly.push((await post(url, 'signUp', { signUp: { username, password: PASSWORD } })).authorized?.userUUID);
is(new Set(oddly).size, odd.length, '19: names that look like keys are names');
ok(!/a\.b|\*|u:x/.test(redis('KEYS', '*')), '19: and in no key');
const page = readdirSync(`${top}/www`).filter((f) => /\.(js|html)$/.test(f)).map((f) => readFileSync(`${top}/www/${f}`, 'utf8')).join('');
ok(!/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(/.test(page), '20: the page inserts text as text');

// ---- correctness ----

const first = await open();
first.send({ type: 'signIn', userUUID: '', signIn: { username: 'first', password: PASSWORD } });
first.send({ type: 'users', userUUID: '' });
first.send({ type: 'channelJoin', userUUID: ann.uuid, channelJoin: { recipientUUID: '' } });
const firstJoin = await until('the join', () => first.frames.find((f) => f.type === 'channelJoin'));
ok(firstJoin.channelJoin.users.some((u) => u.Username === 'first'), '21: signIn, users, channelJoin at once: the right user joins');
const second = await signed('second');
const began = Date.now();
await second.ask(join());
ok(Date.now() - began < 1000, '23: joining does not stall');
await second.ask(message('hello all'));
await until('the message', () => [ann, bob, first].every((c) => c.frames.some((f) => f.channelMessage?.Message === 'hello all')));
ok(true, "22: another one's join ends nobody's delivery");
await second.ask(message('hello again'));
await until('the next one', () => ann.frames.some((f) => f.channelMessage?.Message === 'hello again'));
const copies = ann.frames.filter((f) => f.channelMessage?.Message === 'hello all').map((f) => f.channelMessage);
same([copies.length, copies[0].SenderUUID, /^[0-9a-f-]{36}$/.test(copies[0].UUID), /^20/.test(copies[0].CreatedAt)], [1, second.uuid, true, true], '25: each message once, whole');
is(second.frames.filter((f) => f.channelMessage?.Message === 'hello all').length, 1, '25: to its sender as well');
const subscribers = (scope) => Number(redis('PUBSUB', 'NUMSUB', `palaver:0:${scope}`).trim().split('\n').at(-1));
await second.ask(join({ channel: 'left' }));
const before = await until('the subscription', () => subscribers('c:left'));
await second.ask({ type: 'channelLeave', channelLeave: { channel: 'left' } });
await until('its end', () => subscribers('c:left') === 0);
is(before, 1, '24: a channel that was left is unsubscribed');
const connections = () => redis('CLIENT', 'LIST').trim().split('\n').length;
const had = connections();
for (let i = 0; i < 30; i += 1) {
  const c = await signed('again');
  await c.ask(join({ channel: `again${i}` }));
  c.ws.close();
}
is(connections(), had, '26: joins and connections take no connections to Redis');
await until('the grace', async () => !(await online()).includes('again'));
is((await ann.ask(join({ channel: 'again7' }))).channelJoin.total, 1, '27: a closed connection is in no channel');
ok(subscribers('c:again8') === 0, '27: and its subscriptions are gone');
await Promise.all(Array.from({ length: 200 }, (_, i) => post(url, 'channelMessage', { accessKey: bob.key, channelMessage: { message: `burst ${i} ${'x'.repeat(i * 20)}`, ...(i % 2 ? { channel: 'again7' } : {}) } })));
const burst = (c) => c.frames.filter((f) => f.channelMessage?.Message.startsWith('burst'));
await until('the burst', () => burst(ann).length >= 200);
ok(!ann.error && burst(ann).length === 200, '28: frames of many senders never run into each other');
const slow = await signed('slow', `ws+unix://${work}/bridge.sock:/ws`); // it holds less than nginx would
await slow.ask(join());
slow.ws._socket.pause();
const text = 'y'.repeat(4000);
for (let i = 0; i < 400; i += 1) bob.send(message(`${i} ${text}`));
await until('400 messages', () => ann.frames.filter((f) => f.channelMessage?.Message.endsWith(text)).length === 400);
ok(true, '29: one who does not read holds up nobody');
slow.ws.terminate();
const general = (c) => c.frames.filter((f) => f.channelMessage && !f.channelMessage.channel && !f.channelMessage.RecipientUUID).map((f) => f.channelMessage);
const history = (await bob.ask(join({ limit: 100 }))).channelJoin.messages.map((m) => m.seq);
same(general(ann).slice(-100).map((m) => m.seq), history, '30: delivered in the order of the history');
ok(general(ann).every((m, i, all) => i === 0 || m.seq === all[i - 1].seq + 1), '30: without holes');
const UUID = '123e4567-e89b-42d3-a456-426614174000';
const acks = [];
for (let i = 0; i < 3; i += 1) acks.push((await ann.ask({ ...message('once', { UUID, channel: 'again7' }), id: `t${i}` })).ack);
ok(acks.every((a) => a.UUID === UUID && a.seq === acks[0].seq), '32: the sender gets an ack, and a retry the first one\'s');
is((await ann.ask(join({ channel: 'again7', limit: 100 }))).channelJoin.messages.filter((m) => m.Message === 'once').length, 1, '32: it is stored once');
const race = await Promise.all(Array.from({ length: 8 }, () => post(url, 'signUp', { signUp: { username: 'race', password: PASSWORD } })));
same(race.map((r) => r.status).sort(), [200, 409, 409, 409, 409, 409, 409, 409], '33: of 8 at once one gets the name');
const pair = await Promise.all(Array.from({ length: 8 }, (_, i) => (i % 2 ? ann.ask(join({ recipientUUID: bob.uuid })) : bob.ask(join({ recipientUUID: ann.uuid })))));
is(new Set(pair.map((f) => f.channelJoin.channelUUID)).size, 1, '34: two who write to each other at once have one channel');
is((await ann.ask(join({ recipientUUID: UUID }))).error.code, 7, '34: there is none with nobody');
const leases = Date.now();
await until('three leases', () => Date.now() - leases > 1800);
const there = await online();
ok(there.includes('ann') && there.includes('bob'), '35: who is connected stays on line');
first.ws.close();
await until('the grace', async () => !(await online()).includes('first'));
ok(true, '35: who is not goes off line');
await signed('late');
for (const c of [ann, bob, second]) await until('the sys signIn', () => c.frames.some((f) => f.sys?.signIn?.username === 'late'));
ok(true, '36: all hear who signs in');
await bob.ask({ type: 'channelLeave', channelLeave: {} });
const members = (await second.ask(join())).channelJoin.users.map((u) => u.Username);
ok(!members.includes('bob') && members.includes('ann'), '37: who left a channel is not in it');
await ann.ask(message('knock', { recipientUUID: second.uuid }));
same((await ann.ask(join({ recipientUUID: second.uuid }))).channelJoin.total, 2, '37: a private channel has its two people');
await until('its notice', () => second.frames.some((f) => f.sys?.channelMessage?.SenderUUID === ann.uuid));
ok(!second.frames.some((f) => f.type === 'channelMessage' && f.channelMessage.Message === 'knock'), '37: and delivers to none that did not join');
await second.ask({ type: 'signOut' });
const heard = second.frames.length;
await ann.ask(message('still there?'));
await until('the message', () => ann.frames.some((f) => f.channelMessage?.Message === 'still there?'));
is((await second.ask({ type: 'users' })).error.code, 4, '38: signOut ends what the session may do');
is(second.frames.length, heard + 1, '38: and the delivery');
const fresh = await open();
const up = (await fresh.ask({ type: 'signUp', signUp: { username: 'fresh', password: PASSWORD } })).authorized;
ok(up.accessKey.length > 60 && (await online()).includes('fresh'), '39: signUp gives a key and is on line');
const paged = [];
for (let before; paged.length < 600;) {
  const { messages, more } = (await ann.ask({ type: 'channelMessages', channelMessages: { before, limit: 100 } })).channelMessages;
  paged.unshift(...messages.map((m) => m.seq));
  before = messages[0].seq;
  if (!more) break;
}
ok(paged.length > 400 && paged[0] === 1 && paged.every((q, i) => q === i + 1), '40: older messages come page by page, each once, the oldest first');
const errors = [...ann.frames, ...nobody.frames, ...echo.frames].filter((f) => f.type === 'error');
ok(errors.length > 10 && errors.every((f) => f.error.code > 0 && typeof f.error.error === 'string' && typeof f.error.payload === 'string'), '41: no error has code 0, all have their text');
const joins = [];
for (let i = 0; i < 20; i += 1) {
  bob.send(message(`racing ${i}`, { channel: 'again7' }));
  joins.push(ann.ask(join({ channel: 'again7' })));
}
ok((await Promise.all(joins)).every(({ channelJoin: { messages } }) => messages.length === 10 && messages.every((m, i) => i === 0 || m.seq === messages[i - 1].seq + 1)), '42: the newest ten are ten, while others write');
await ann.ask(join({ recipientUUID: UUID }));
is(subscribers(`p:${[ann.uuid, UUID].sort().join(':')}`), 0, '42: a join that fails leaves no subscription');
const door = createConnection(`${work}/redis.sock`);
const around = [];
for (let i = 0; i < 4; i += 1) {
  const channel = `sub${i}`;
  const said = () => Promise.all(Array.from({ length: 5 }, () => post(url, 'channelMessage', { accessKey: bob.key, channelMessage: { message: 'x', channel } })));
  await said();
  // From now on the bridge cannot subscribe, for it gets no connection for that.
  door.write('CONFIG SET maxclients 1\r\nCLIENT KILL TYPE pubsub\r\n');
  const had = (await ann.ask(join({ channel }))).channelJoin.messages.map((m) => m.seq);
  await said();
  door.write('CONFIG SET maxclients 10000\r\n');
  const came = () => ann.frames.filter((f) => f.type === 'channelMessage' && f.channelMessage.channel === channel).map((f) => f.channelMessage.seq);
  await until('the rest', () => had.length + came().length >= 10);
  await ann.ask({ type: 'channelLeave', channelLeave: { channel } });
  around.push([...had, ...came()].join());
}
door.end();
same([...new Set(around)], ['1,2,3,4,5,6,7,8,9,10'], '43: between the history and the subscription nothing is lost or doubled');
await stop('redis');
is((await ann.ask({ ...message('into the void'), id: 'void' })).error.code, 20, '31: what could not be stored is an error to its sender');
const logs = readdirSync(work).filter((f) => f.endsWith('.log')).map((f) => readFileSync(`${work}/${f}`, 'utf8')).join('');
ok(logs.includes('signed in') && !logs.includes(PASSWORD) && !logs.includes(ann.key.slice(37)), '9: no password and no key is logged, at any level');
await startRedis();

await end('responder', 'bridge', 'strict');
