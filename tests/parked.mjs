// SPDX-License-Identifier: MIT
// Polls that wait, as a web server and Redis may have it: who leaves makes room
// at once, however that is told; one that has to ask again, because its
// subscription was lost meanwhile, is still the same poll.
import { startRedis, startResponder, stop, signal, redis, ok, is, until, end, work } from './lib.mjs';
import { Connection, abort, ask as askAt, whole } from './lib-fcgi.mjs';

const HELD = 5; // polls of a user
const free = { PALAVER_SIGN_IN_RATE: '0', PALAVER_MESSAGE_RATE: '0', PALAVER_USER_POLLS: String(HELD), PALAVER_OPERATION_TIMEOUT: '30000' };
const slow = { ...free, PALAVER_REQUEST_RATE: '1/3600' };
const slots = { ...free, PALAVER_POLL_SLOTS: '1' };
await startRedis();
for (const r of ['r1', 'r2']) await startResponder(r, free);
await startResponder('charged', slow);
await startResponder('slots', slots);

const at = (name) => `${work}/${name}.sock`;
const ask = async (type, s, payload = {}, responder = 'r2') => (await askAt(at(responder), type, { accessKey: s?.accessKey, sessionUUID: s?.sessionUUID, [type]: payload })).json;
/** A long-poll session: of a new user, or one more of s. */
async function session(username, s) {
  const { authorized } = await ask('signIn', undefined, s ? { accessKey: s.accessKey } : { username, password: 'secret123' });
  return { accessKey: authorized.accessKey, sessionUUID: authorized.sessionUUID };
}
const sessions = (s, n) => Promise.all(Array.from({ length: n }, () => session('', s)));
/** Has all that there is; the next poll will wait. */
async function catchUp(s) {
  let events;
  do {
    ({ events } = await ask('events', s, { since: s.cursor, wait: 0 }));
    s.cursor = events.cursor;
  } while (events.frames.length || events.more);
}
/** Begins a poll on a connection of its own: c.reply comes with its response. */
async function poll(s, wait, responder = 'r1', keep = false) {
  const c = await Connection.open(at(responder));
  const bytes = whole('events', JSON.stringify({ accessKey: s.accessKey, sessionUUID: s.sessionUUID, events: { since: s.cursor, wait } }), { keep });
  await new Promise((done) => { c.socket.write(bytes, done); });
  c.reply = c.take();
  return c;
}
const waits = (s) => redis('hget', `palaver:{sys}:s:${s.sessionUUID}`, 'w');
/** The same, and Redis has it wait. */
async function parked(s, wait, responder, keep) {
  await catchUp(s);
  const before = waits(s);
  const c = await poll(s, wait, responder, keep);
  await until('it to wait', () => !['', before].includes(waits(s)));
  return c;
}
/** Whether the responder has handled all that came before. */
const turns = async (responder) => { for (let n = 0; n < 3; n += 1) await askAt(at(responder), 'nosuch'); };
const texts = (r) => r.json.events.frames.filter((f) => f.type === 'channelMessage').map((f) => f.channelMessage.Message).join();

// Who leaves.
const ann = await session('ann');
const spare = await session('', ann);
await catchUp(spare);
for (const [what, keep, leave] of [
  ['an abort on a kept connection', true, (c) => c.write(abort())], ['an abort', false, (c) => c.write(abort())],
  ['a kept connection that ends', true, (c) => c.end()], ['a connection that ends', false, (c) => c.end()],
  ['a connection that ends on one side', false, (c) => c.socket.end()],
]) {
  const all = [];
  for (const s of await sessions(ann, HELD)) all.push(await parked(s, 50, 'r1', keep));
  is((await (await poll(spare, 1)).reply).status, 503, `${HELD} polls wait`);
  leave(all[0]);
  ok(await until('room', async () => (await (await poll(spare, 1)).reply).status === 200), `${what} makes room`);
  await until('the close', () => all[0].closed);
  is(all.slice(1).filter((c) => c.closed).length, 0, 'the others wait on');
  for (const c of all) c.end();
  await turns('r1');
}
const hasty = await sessions(ann, HELD);
for (const s of hasty) await catchUp(s);
signal('redis', 'SIGSTOP');
for (const c of await Promise.all(hasty.map((s) => poll(s, 50)))) {
  await turns('r1');
  c.end();
}
await turns('r1');
signal('redis', 'SIGCONT');
is((await (await poll(spare, 1)).reply).status, 200, 'who leaves before Redis has answered waits nowhere');

// A poll that was ended while its process could not hear of it.
const bob = await session('bob');
await ask('channelJoin', bob);
const older = await parked(bob, 40);
signal('r1', 'SIGSTOP');
redis('client', 'kill', 'type', 'pubsub');
const newer = await parked(bob, 40, 'r2');
signal('r1', 'SIGCONT');
is(await Promise.race([older.reply.then(() => 'older'), newer.reply.then(() => 'newer')]), 'older', 'a poll that asks again does not end the newer one');
is(texts(await older.reply), '', 'but itself');
await ask('channelMessage', bob, { message: 'to the newer' });
is(texts(await newer.reply), 'to the newer', 'which waits on');

// What asks again is no new request.
const carl = await session('carl');
await catchUp(carl);
is((await (await poll(carl, 1, 'charged')).reply).status, 200, 'request_rate counts a poll once');

// Much at a time.
const channels = ['one', 'two'];
for (const channel of channels) await ask('channelJoin', bob, { channel });
const reader = await parked(bob, 40);
signal('r1', 'SIGSTOP');
for (const channel of channels) for (let n = 0; n < 60; n += 1) await ask('channelMessage', bob, { channel, message: `${n}` });
signal('r1', 'SIGCONT');
const seen = [];
let { events } = (await reader.reply).json;
ok(events.frames.length <= 100, 'a poll that is woken holds no more than any reply', events.frames.length);
for (;;) {
  seen.push(...events.frames.map((f) => `${f.channelMessage.channel} ${f.channelMessage.Message}`));
  if (!events.frames.length) break;
  ({ events } = await ask('events', bob, { since: events.cursor, wait: 0 }));
}
is(seen.length, 120, 'the rest follows');
for (const channel of channels) is(seen.filter((m) => m.startsWith(channel)).join(), Array.from({ length: 60 }, (_, n) => `${channel} ${n}`).join(), `in order: ${channel}`);

// Places of those that hold a process.
const taken = () => redis('zcard', 'palaver:{sys}:waiting');
const dora = await session('dora');
await ask('channelJoin', dora);
const holder = await parked(dora, 40, 'slots');
is(taken(), '1', 'a place is taken');
signal('slots', 'SIGSTOP');
redis('client', 'kill', 'type', 'pubsub');
await ask('channelMessage', dora, { message: 'missed' });
signal('slots', 'SIGCONT');
is(texts(await holder.reply), 'missed', 'a poll that asks again and has news');
is(taken(), '0', 'gives its place back');
await parked(dora, 10, 'slots');
await stop('slots', 'SIGKILL');
is(taken(), '1', 'a process that is killed cannot');
await startResponder('next', slots);
const eve = await session('eve');
await until('a place', async () => {
  await catchUp(eve);
  const c = await poll(eve, 20, 'next');
  await ask('users', eve, {}, 'next'); // Redis has answered the poll before
  const has = waits(eve) !== '';
  c.end();
  return has;
}, 40000);
ok(true, "its place is free when its poll's time is over");

// Redis goes, and another process of it comes.
const fay = await session('fay');
await ask('channelJoin', fay);
const brief = await parked(await session('gus'), 6);
const long = await parked(fay, 50);
redis('save');
await stop('redis', 'SIGKILL');
const { status, json } = await brief.reply;
is(`${status} ${json.events.frames.length}`, '200 0', 'a poll ends by its time without Redis');
await startRedis();
const UUID = '00000000-0000-4000-8000-000000000001';
await until('Redis', async () => (await ask('channelMessage', fay, { message: 'another epoch', UUID })).channelMessage);
const reply = await long.reply;
is(`${texts(reply)} ${reply.json.events.recovered}`, 'another epoch true', 'and one that waits goes on in the next epoch');
await end('r1', 'r2', 'charged', 'next');
