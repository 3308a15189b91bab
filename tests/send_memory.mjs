// SPDX-License-Identifier: MIT
// What waits for the sockets of those who do not read is bounded, of each and in
// all: who has not read for longest goes first, with 4008 if he takes it, and
// presence stays right whatever was done for him meanwhile.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { startRedis, startResponder, startBridge, startNginx, Client, ok, is, until, post, signal, end, work } from './lib.mjs';

const MEGA = 1024 * 1024;
const FILL = 1200;
const BURST = 80; // 12 kB each: what a ring holds
const settings = {
  PALAVER_MESSAGE_RATE: '0', PALAVER_PRESENCE_GRACE: '200', PALAVER_SESSION_LEASE: '500', PALAVER_LOG_LEVEL: 'debug',
  ASAN_OPTIONS: `detect_leaks=1:quarantine_size_mb=1:log_path=${work}/asan`,
};
await startRedis();
await startResponder('responder', settings);
const roomy = await startBridge('roomy', settings);
await startBridge('some', { ...settings, PALAVER_SEND_MEMORY: String(4 * MEGA) });
await startBridge('snug', { ...settings, PALAVER_SEND_MEMORY: '700000' });
await startBridge('tight', { ...settings, PALAVER_SEND_MEMORY: '16384' });
const url = await startNginx(['responder'], ['roomy', 'some', 'snug', 'tight']);
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
const closings = (bridge) => readFileSync(`${work}/${bridge}.log`, 'utf8').split('closing').length - 1;
/** Twice there and back on another connection: what was sent before is done. */
async function settled(c) {
  for (let n = 0; n < 2; n += 1) await c.ask({ type: 'channels' });
}
/** Unsigned or not, his socket is full of errors; the last one waits. */
function fill(c) {
  stall(c);
  for (let n = 0; n < FILL; n += 1) c.ws.send(`{"type":"fill","id":"${'i'.repeat(64)}"}`);
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

// Much comes at once for many who stall: each is sent a part.
const many = [];
for (let n = 0; n < 40; n += 1) {
  const c = await enter('roomy', ann);
  await c.ask({ type: 'channelJoin', channelJoin: { channel: 'burst', limit: 0 } });
  stall(c);
  many.push(c);
}
const calmly = rss();
signal('roomy', 'SIGSTOP');
for (let n = 0; n < BURST; n += 1) await say(ann, 'burst', '€'.repeat(4096));
// It is read from the log, for pub/sub had a hole.
execFileSync('redis-cli', ['-s', `${work}/redis.sock`, 'client', 'kill', 'type', 'pubsub']);
signal('roomy', 'SIGCONT');
await near.ask({ type: 'channelJoin', channelJoin: { channel: 'burst', limit: 0 } });
await say(ann, 'burst', 'last');
await until('the last one', () => near.frames.some((f) => f.type === 'channelMessage' && f.channelMessage.Message === 'last'));
await near.ask({ type: 'channelLeave', channelLeave: { channel: 'burst' } });
const burst = rss() - calmly;
console.log(`# ${burst} kB more`);
ok(burst < many.length * 160, 'of much that came at once a part waits for each', `${burst} kB more`);
for (const c of many) goOn(c);
await until('the rest', () => many.every((c) => c.frames.filter((f) => f.type === 'channelMessage').length === BURST + 1));
ok(many.every((c) => c.frames.filter((f) => f.type === 'channelMessage').every((f, n) => f.channelMessage.seq === n + 1)), 'all of it comes, in order, when they read');
for (const c of many) c.ws.terminate();

// Ten stall one after the other; 4 MiB are not enough for all.
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
const told = closings('some');
for (const c of stalled) goOn(c);
await until('the ends', () => stalled.every((c) => c.code || c.frames.some((f) => f.id)));
await until('the closes', () => stalled.filter((c) => c.code).length === told);
const codes = stalled.map((c) => c.code).join();
console.log(`# ${codes}`);
ok(/^(1006,)+(4008,)+(0,)*0$/.test(codes), 'who stalled first was dropped, who stalled later closed, who stalled last stays', codes);
ok(stalled.filter((c) => c.code !== 1006).every((c) => c.frames.some((f) => f.id)), 'with all that waited; 4008 comes behind it', codes);
const kept = codes.match(/\b0/g).length;
ok(kept >= 3 && kept <= 7, 'three quarters of the memory are for those who stay', codes);
await say(ann, 'live', 'still');
is((await watcher.next('channelMessage')).channelMessage.Message, 'still', 'who reads is untouched');
for (const c of [...stalled, watcher]) c.ws.terminate();

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
is(patient.frames.filter((f) => f.type === 'channelMessage' && f.channelMessage.channel === 'one').map((f) => f.channelMessage.Message).join(), 'for one', 'of where he is no more what was said before he left, and no more');
stall(patient);
is((await over(bob, 'signOut', patient)).status, 200, 'he signs out over HTTP');
await all('he is not on line', () => online(ann), 'ann');
ok(patient.code === 0, 'and stays');
patient.ws.terminate();

// His own reply is the byte too many.
const late = await enter('snug', await signUp('dan'));
stall(late);
late.send({ type: 'channelJoin', channelJoin: { channel: 'big', limit: 100 } });
await all('he who joined while too much waited', () => within(ann, 'big'), 'dan');
await until('his end', () => closings('snug'));
goOn(late);
await until('the close', () => late.code);
is(late.code, 4008, 'is closed with 4008');
is(late.frames.filter((f) => f.type === 'channelJoin').length, 1, 'behind the reply');
await all('has left', () => within(ann, 'big'), '');
await all('and is not on line', () => online(ann), 'ann');

// The reply to a sign-in over HTTP is the byte too many. How many of them it
// takes is seen first: then the one who has not read for longest is closed.
// Once more, and the one too many is his own.
const cat = await signUp('cat');
const helper = await enter('tight', ann);
async function filled(n) {
  const all = [];
  for (let k = 0; k < n; k += 1) {
    const c = await open('tight');
    c.uuid = c.frames[0].ready.sessionUUID;
    fill(c);
    await settled(helper);
    all.push(c);
  }
  return all;
}
async function attach(c) {
  const { status } = await post(url, 'signIn', { sessionUUID: c.uuid, signIn: { accessKey: cat.accessKey } });
  if (status !== 200) throw new Error(`status ${status}`);
  await settled(helper);
}
const begun = closings('tight');
const first = await filled(40);
let enough = 0;
while (closings('tight') === begun) await attach(first[enough += 1]);
console.log(`# ${enough} sign-ins are too many`);
goOn(first[0]);
await until('the close', () => first[0].code);
is(first[0].code, 4008, 'sign-ins over HTTP for those who do not read close who has not read for longest');
ok(!first[0].frames.some((f) => f.type === 'authorized'), 'not one of them');
for (const c of first) c.ws.terminate();
await all('they leave', () => online(ann), 'ann');
const calm = closings('tight');
const second = await filled(40);
for (const c of second.slice(1, enough)) await attach(c);
is(closings('tight'), calm, 'one less is not too many');
await attach(second[0]);
goOn(second[0]);
await until('the close', () => second[0].code);
is(`${second[0].frames.slice(-2).map((f) => f.type).join(' ')} ${second[0].code}`, 'authorized sys 4008', 'one for him is: it is his last, then 4008');
ok(second.slice(2).every((c) => !c.code), 'the others stay');
const his = closings('tight');
for (let n = enough; n < enough + 8; n += 1) await attach(second[n]);
for (const c of second) goOn(c);
await until('the next', () => second.slice(1).some((c) => c.code));
ok(closings('tight') > his && second.slice(8).every((c) => !c.code), 'until it is their turn');
for (const c of second) c.ws.terminate();
await all('those signed in are not on line any more', () => online(ann), 'ann');
helper.ws.terminate();
near.ws.terminate();
await all('at last nobody is', () => online(ann), '');
await end('responder', 'roomy', 'some', 'snug', 'tight');
