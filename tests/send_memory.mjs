// SPDX-License-Identifier: MIT
// What waits for the sockets of those who do not read is bounded, of each and in
// all: who has not read for longest goes first, with 4008 if he takes it, and
// presence stays right whatever was done for him meanwhile.
import { readFileSync } from 'node:fs';
import { startRedis, startResponder, startBridge, startNginx, Client, ok, is, until, post, end, work } from './lib.mjs';

const MEGA = 1024 * 1024;
const FILL = 1500;
const settings = {
  PALAVER_MESSAGE_RATE: '0', PALAVER_PRESENCE_GRACE: '200', PALAVER_SESSION_LEASE: '500', PALAVER_LOG_LEVEL: 'debug',
  ASAN_OPTIONS: `detect_leaks=1:quarantine_size_mb=1:log_path=${work}/asan`,
};
await startRedis();
await startResponder('responder', settings);
const roomy = await startBridge('roomy', settings);
await startBridge('some', { ...settings, PALAVER_SEND_MEMORY: String(4 * MEGA) });
await startBridge('tight', { ...settings, PALAVER_SEND_MEMORY: String(MEGA) });
const url = await startNginx(['responder'], ['roomy', 'some', 'tight']);
const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${roomy.pid}/status`, 'utf8'))[1]);

const open = (bridge) => Client.open(`ws+unix://${work}/${bridge}.sock:/ws`);
const signUp = async (username) => (await post(url, 'signIn', { signIn: { username, password: 'secret123' } })).authorized;
async function enter(bridge, { accessKey }) {
  const c = await open(bridge);
  c.uuid = c.frames[0].ready.sessionUUID;
  await c.ask({ type: 'signIn', signIn: { accessKey } }, 'authorized');
  return c;
}
const say = (who, channel, message) => post(url, 'channelMessage', { accessKey: who.accessKey, channelMessage: { channel, message } });
const page = (channel, id) => ({ type: 'channelMessages', id, channelMessages: { channel, limit: 100 } });
const stall = (c) => c.ws._socket.pause();
const goOn = (c) => c.ws._socket.resume();
/** Twice there and back on another connection: what was sent before is done. */
async function settled(c) {
  for (let n = 0; n < 2; n += 1) await c.ask({ type: 'channels' });
}
/** Unsigned or not, his socket is full of errors; the last one waits. */
function fill(c) {
  stall(c);
  for (let n = 0; n < FILL; n += 1) c.ws.send('{"type":"fill"}');
}
const online = async (who) => (await post(url, 'users', { accessKey: who.accessKey, users: { online: true } })).users.users.map((u) => u.Username).sort().join();
const within = async (who, channel) => (await post(url, 'users', { accessKey: who.accessKey, users: { channel } })).users.users.map((u) => u.Username).join();
const all = async (what, fn, wanted) => is(await until(what, async () => (await fn()) === wanted && wanted).catch(() => fn()), wanted, what);

const ann = await signUp('ann');
for (let n = 0; n < 64; n += 1) await say(ann, 'big', `${n}`.padEnd(4096, '€'));
const near = await enter('roomy', ann);
const bytes = (frame) => Buffer.byteLength(JSON.stringify(frame));
console.log(`# a page of ${bytes(await near.ask(page('big'), 'channelMessages'))} bytes`);

// One asks and asks, and never reads.
const asks = await enter('roomy', ann);
stall(asks);
const before = rss();
const ASKED = 100;
for (let n = 0; n < ASKED; n += 1) asks.send(page('big', `${n}`));
await settled(near);
await settled(near);
const grown = rss() - before;
console.log(`# ${grown} kB more`);
ok(grown < 8 * 1024, 'who asks and never reads has one reply that waits', `${grown} kB more`);
ok(asks.code === 0 && !asks.error, 'and stays');
goOn(asks);
await until('the replies', () => asks.frames.filter((f) => f.type === 'channelMessages').length === ASKED, 60000);
is(asks.frames.filter((f) => f.id).map((f) => f.id).join(), Array.from({ length: ASKED }, (_, n) => `${n}`).join(), 'all come, in order, when he reads');
asks.ws.terminate();

// Ten stall one after the other; three of them have room in 4 MiB.
const watcher = await enter('some', ann);
await watcher.ask({ type: 'channelJoin', channelJoin: { channel: 'live' } });
const stalled = [];
for (let n = 0; n < 10; n += 1) {
  const c = await enter('some', ann);
  stall(c);
  c.send(page('big', `${n}`));
  await settled(watcher);
  stalled.push(c);
}
for (const c of stalled) goOn(c);
await until('the ends', () => stalled.slice(0, 7).every((c) => c.code) && stalled.slice(7).every((c) => c.frames.some((f) => f.id)));
console.log(`# ${stalled.map((c) => c.code).join()}`);
const codes = stalled.map((c) => c.code);
ok(codes.slice(7).every((c) => c === 0), 'those who stalled last get all and stay');
ok(codes.slice(0, 7).every((c) => c === 4008 || c === 1006), 'those who stalled first were closed');
ok(codes[6] === 4008 && stalled[6].frames.some((f) => f.id), '4008 comes behind what waited');
ok(codes[0] === 1006 && codes.indexOf(4008) > codes.lastIndexOf(1006), 'or they were dropped, the longest first');
await say(ann, 'live', 'still');
is((await watcher.next('channelMessage')).channelMessage.Message, 'still', 'who reads is untouched');
for (const c of [...stalled.slice(7), watcher]) c.ws.terminate();

// What is asked for one over HTTP while he does not read.
const bob = await signUp('bob');
const over = (who, type, c, payload = {}) => post(url, type, { accessKey: who.accessKey, sessionUUID: c.uuid, [type]: payload });
const patient = await enter('roomy', bob);
fill(patient);
for (const channel of ['one', 'two']) await over(bob, 'channelJoin', patient, { channel, limit: 0 });
await say(ann, 'one', 'for one');
await over(bob, 'channelLeave', patient, { channel: 'one' });
await say(ann, 'one', 'for nobody');
await say(ann, 'two', 'for two');
is(await within(ann, 'one'), '', 'he leaves for the others while he does not read');
is(await within(ann, 'two'), 'bob', 'and is where he joined');
goOn(patient);
await until('the message', () => patient.frames.some((f) => f.type === 'channelMessage' && f.channelMessage.Message === 'for two'));
ok(await until('the replies', () => patient.frames.filter((f) => f.type === 'error').length === FILL), 'when he reads he gets the replies');
ok(!patient.frames.some((f) => f.type === 'channelMessage' && f.channelMessage.channel === 'one'), 'nothing of where he is no more');
stall(patient);
is((await over(bob, 'signOut', patient)).status, 200, 'he signs out over HTTP');
await all('he is not on line', () => online(ann), 'ann');
ok(patient.code === 0, 'and stays');
patient.ws.terminate();

// His own reply is the byte too many.
const late = await enter('tight', await signUp('dan'));
stall(late);
late.send({ type: 'channelJoin', channelJoin: { channel: 'big', limit: 100 } });
await all('he who joined while too much waited', () => within(ann, 'big'), 'dan');
await until('his end', () => readFileSync(`${work}/tight.log`, 'utf8').includes('closing'));
goOn(late);
await until('the close', () => late.code);
is(late.code, 4008, 'is closed with 4008');
is(late.frames.filter((f) => f.type === 'channelJoin').length, 1, 'behind the reply');
await all('has left', () => within(ann, 'big'), '');
await all('and is not on line', () => online(ann), 'ann');

// The reply to a sign-in over HTTP is the byte too many, and the one for whom it
// comes has not read for longest.
const helper = await enter('tight', ann);
const small = async (limit) => bytes(await helper.ask({ type: 'channelMessages', channelMessages: { channel: 'big', limit } }));
const whole = Math.floor((MEGA / 4 * 3 - 260) / ((await small(60) - await small(50)) / 10));
const rest = MEGA / 4 * 3 - 260 - await small(whole) - ((await small(60) - await small(50)) / 10 - 3 * 4096);
await say(ann, 'big', '€'.repeat(Math.floor(rest / 3)));
const cat = await signUp('cat');
const unsigned = await open('tight');
unsigned.uuid = unsigned.frames[0].ready.sessionUUID;
fill(unsigned);
await settled(helper);
const heavy = await enter('tight', ann);
stall(heavy);
heavy.send({ type: 'channelMessages', id: 'heavy', channelMessages: { channel: 'big', limit: whole + 1 } });
await settled(helper);
is((await post(url, 'signIn', { sessionUUID: unsigned.uuid, signIn: { accessKey: cat.accessKey } })).status, 200, 'one signs in over HTTP for a WebSocket that is not read');
await until('its end', () => readFileSync(`${work}/tight.log`, 'utf8').match(/closing/g).length === 2);
goOn(unsigned);
await until('the close', () => unsigned.code);
is(`${unsigned.frames.slice(-2).map((f) => f.type).join(' ')} ${unsigned.code}`, 'authorized sys 4008', 'that reply is its last one, then 4008');
goOn(heavy);
await until('the other', () => heavy.frames.some((f) => f.id));
is(heavy.code, 0, 'who stalled later is untouched');
heavy.ws.terminate();
await all('whom it signed in is not on line', () => online(ann), 'ann');
helper.ws.terminate();
near.ws.terminate();
await all('at last nobody is', () => online(ann), '');
await end('responder', 'roomy', 'some', 'tight');
