// SPDX-License-Identifier: MIT
// What is held of messages that never end is bounded in all: who has ended none
// for longest goes first, and others notice nothing.
import { readFileSync } from 'node:fs';
import { startRedis, startBridge, Client, ok, is, until, end, work } from './lib.mjs';
import { Wire, frame, TEXT } from './wire.mjs';

const HOLDERS = 100;
const HELD = 40000; // bytes that each begins to send, of 60000
const WAITING = 3; // requests of one who asks on and on
const HALF = 32700; // bytes of these of which 32 KiB are held, 64 KiB of all
const ROOM = 24; // of whom all is held
const MEMORY = ROOM * 65536 + 32768 + 1000;
const MOST = Math.floor(MEMORY / HELD); // who stay, at most
const ROUNDS = 2;

await startRedis();
const bridge = await startBridge('bridge', { PALAVER_RECEIVE_MEMORY: String(MEMORY), PALAVER_REQUEST_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_PASSWORD_COST: 'interactive' });
const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${bridge.pid}/status`, 'utf8'))[1]);
const message = frame(TEXT, 'x'.repeat(60000));

const honest = await Client.open(`ws+unix://${work}/bridge.sock:/ws`);
await honest.ask({ type: 'signIn', signIn: { username: 'ann', password: 'a password' } }, 'authorized');
const sent = (w) => until('it to be sent', () => w.socket.writableLength === 0 || w.ended);
let holders = [];
for (let n = 0; n < HOLDERS; n += 1) holders.push(await Wire.open(`${work}/bridge.sock`));
const before = rss();
for (const w of holders) {
  w.send(message.subarray(0, HELD));
  await sent(w);
}
await until('the oldest to go', () => holders.filter((w) => !w.ended).length <= MOST);
const stay = holders.findIndex((w) => !w.ended);
ok(holders.slice(stay).every((w) => !w.ended), 'whose bytes have been there longest goes first');
ok(HOLDERS - stay >= ROOM, 'those who have room stay', `${HOLDERS - stay} of ${HOLDERS}`);
const codes = holders.slice(0, stay).map((w) => (w.frames.length ? w.frames[0].data.readUInt16BE(0) : 0));
ok(codes.every((c) => c === 1013 || c === 0), 'with 1013, or cut off', codes.join());
console.log(`# ${rss() - before} kB more for ${HOLDERS} who began ${HELD} bytes each`);

honest.send({ type: 'channelMessage', id: 'a', channelMessage: { message: '€'.repeat(4096) } });
is((await honest.next('ack')).type, 'ack', 'others notice nothing');
holders.at(-1).send(message.subarray(HELD));
await holders.at(-1).until('an answer', () => holders.at(-1).frames.length);
ok(String(holders.at(-1).frames[0]?.data).includes('"code":1'), 'a message that does end is taken');
for (const w of holders) w.drop();

// What comes to one who has just gone costs nobody else his place: the bridge finds
// both at once, what is too much and more from the one who goes for that.
const read = async () => {
  for (let n = 0; n < 4; n += 1) await honest.ask({ type: 'users', users: {} }, 'users');
};
const gone = [];
for (let round = 0; round < ROUNDS; round += 1) {
  holders = [];
  for (let n = 0; n <= ROOM; n += 1) holders.push(await Wire.open(`${work}/bridge.sock`));
  for (const w of holders) {
    w.send(message.subarray(0, w === holders[ROOM] ? HALF : HELD));
    await sent(w);
    await read();
  }
  process.kill(bridge.pid, 'SIGSTOP');
  holders[ROOM].send(message.subarray(HALF, HALF + 300));
  await sent(holders[ROOM]);
  holders[0].send(message.subarray(HELD, HELD + 100));
  await sent(holders[0]);
  process.kill(bridge.pid, 'SIGCONT');
  await until('the oldest to go', () => holders[0].ended);
  await read();
  gone.push(holders.filter((w) => w.ended).length);
  for (const w of holders) w.drop();
  await until('all to go', () => holders.every((w) => w.ended || w.socket.destroyed));
  await read();
}
is(gone.join(), Array(ROUNDS).fill(1).join(), 'what comes to one who goes costs nobody else his place');

// Of one who asks on and on something always waits: an answer takes as long as a
// password is hashed.
const busy = await Wire.open(`${work}/bridge.sock`);
const ask = () => busy.send(frame(TEXT, JSON.stringify({ type: 'signIn', signIn: { username: 'ann', password: 'a wrong one' } })));
for (let n = 0; n < WAITING; n += 1) ask();
holders = [];
for (let n = 0; n < MOST; n += 1) {
  const w = await Wire.open(`${work}/bridge.sock`);
  w.send(message.subarray(0, HELD));
  holders.push(w);
  await busy.until('an answer', () => busy.frames.length > n);
  ask();
}
await until('the oldest to go', () => holders[0].ended || busy.ended);
await busy.until('the answers', () => busy.frames.length === MOST + WAITING);
ok(!busy.ended && busy.frames.every((f) => String(f.data).includes('"error"')), 'one who ends his messages is never one of them, even if one always waits');
for (const w of holders) w.drop();
busy.drop();
await end('bridge');
