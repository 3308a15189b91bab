// SPDX-License-Identifier: MIT
// Long-poll: answered at once with news, parked without, woken by an event,
// ended by its time, by a newer poll, by a join; cursors at every boundary.
import { startRedis, startResponder, startBridge, startNginx, redis, Client, ok, is, until, post, end, work } from './lib.mjs';
import { ask as askAt } from './lib-fcgi.mjs';

await startRedis();
const HELD = 5;
const limits = { PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_USER_POLLS: String(HELD), PALAVER_REQUEST_RATE: '0' };
for (const r of ['r1', 'r2']) await startResponder(r, limits);
await startBridge('bridge', limits);
const url = await startNginx(['r1', 'r2'], ['bridge']);

/** A long-poll session of a user. */
class Poller {
  static async open(username) {
    const p = new Poller();
    const { authorized } = await post(url, 'signIn', { signIn: { username, password: 'secret123' } });
    Object.assign(p, { uuid: authorized.userUUID, key: authorized.accessKey, session: authorized.sessionUUID, cursor: authorized.cursor });
    return p;
  }
  post(type, payload = {}, more = {}) {
    return post(url, type, { accessKey: this.key, sessionUUID: this.session, [type]: payload, ...more });
  }
  async join(payload = {}) {
    return (await this.post('channelJoin', payload)).channelJoin;
  }
  /** One poll, of since or from where the one before came to. */
  async poll(wait, since = this.cursor) {
    const r = await this.post('events', { since, wait });
    if (r.events) this.cursor = r.events.cursor;
    return r;
  }
}
/** A poll that waits: the promise of its reply. */
async function parked(p, wait = 20) {
  while ((await p.poll(0)).events.frames.length) { /* what there was */ }
  const reply = p.poll(wait);
  await until('a poll to wait', () => redis('hget', `palaver:{sys}:s:${p.session}`, 'w'));
  return { reply };
}
const messages = (r) => r.events.frames.filter((f) => f.type === 'channelMessage').map((f) => f.channelMessage.Message);

const ann = await Poller.open('ann');
const bob = await Poller.open('bob');
await ann.join();
await bob.join();
await ann.poll(0);
let r = await ann.poll(0);
is(r.events.frames.length, 0, 'with nothing new and no wait it is answered at once');
is(r.events.recovered, true, 'nothing was lost');

let waiting = await parked(ann);
await bob.post('channelMessage', { message: 'one' });
is(messages(await waiting.reply).join(), 'one', 'a message wakes the poll that waits');
await bob.post('channelMessage', { message: 'two' });
await bob.post('channelMessage', { message: 'three' });
is(messages(await ann.poll(20)).join(), 'two,three', 'what came between two polls is there at once');
const began = Date.now();
r = await ann.poll(1);
const took = Date.now() - began;
ok(r.events.frames.length === 0 && took > 900 && took < 5000, 'a poll ends by its time, empty', took);

const waits = () => redis('hget', `palaver:{sys}:s:${ann.session}`, 'w');
for (const second of ['r1', 'r2']) {
  const ask = (at, wait) => askAt(`${work}/${at}.sock`, 'events', { accessKey: ann.key, sessionUUID: ann.session, events: { since: ann.cursor, wait } });
  const before = waits();
  const older = ask('r1', 20);
  await until('it to wait', () => waits() !== before);
  const newer = ask(second, 2);
  is(await Promise.race([older.then(() => 'older'), newer.then(() => 'newer')]), 'older', `a newer poll of the session ends the one that waits, in ${second === 'r1' ? 'the same' : 'another'} process`);
  is((await older).json.events.frames.length, 0, 'which has nothing');
  is((await newer).json.events.frames.length, 0, 'and waits itself');
}

waiting = await parked(ann);
await ann.join({ recipientUUID: bob.uuid });
is((await waiting.reply).events.frames.length, 0, 'so does a join');
await bob.post('channelMessage', { message: 'psst', recipientUUID: ann.uuid });
r = await ann.poll(20);
is(messages(r).join(), 'psst', 'the channel joined is followed from then on, whatever the cursor says');
ok(!r.events.frames.some((f) => f.sys?.type === 'channelMessage'), 'its sys channelMessage is spared');

// Redis runs the poll and then the join, and tells of the join's end of it by
// another connection than of the poll.
let late = 0;
for (let n = 0; n < 5; n += 1) {
  const channel = `overtaken${n}`;
  const at = (type, payload) => askAt(`${work}/r1.sock`, type, { accessKey: ann.key, sessionUUID: ann.session, [type]: payload });
  while ((await ann.poll(0)).events.frames.length) { /* what there was */ }
  redis('client', 'pause', '50');
  const asked = Date.now();
  const overtaken = at('events', { since: ann.cursor, wait: 4 });
  await at('channelJoin', { channel });
  await bob.post('channelMessage', { channel, message: 'hello' });
  await overtaken;
  late += Date.now() - asked > 3500;
  await at('channelLeave', { channel });
}
is(late, 0, 'a join that comes just behind a poll ends it, too');
while ((await ann.poll(0)).events.frames.length) { /* what there was */ }

// Cursors that lead nowhere, or where nobody may go.
const g = ann.cursor.split(',').find((c) => c.startsWith('g:'));
const [, epoch, seq] = g.split(':');
const since = async (cursor) => {
  const p = await ann.post('events', { since: cursor, wait: 0 });
  return p.error ? `${p.error.code} ${p.error.payload}` : `${messages(p).sort().join()} ${p.events.recovered}`; // scopes come in any order
};
is(await since(`g:${epoch}:0`), 'one,psst,three,two true', 'a cursor at the begin: all of it, and what else the session lacks');
is(await since([`g:${epoch}:2`, ann.cursor.split(',').find((c) => c.startsWith('p:'))]), 'three true', 'a list of cursors');
is(await since(`g:${epoch}:${Number(seq) + 5}`), 'one,psst,three,two false', 'a cursor from the future: the newest page, not recovered');
is(await since('g:abc:1'), 'one,psst,three,two false', 'a forged epoch');
const carl = await Poller.open('carl');
await carl.join({ recipientUUID: bob.uuid });
await carl.post('channelMessage', { message: 'for bob only', recipientUUID: bob.uuid });
const theirs = (await carl.poll(0)).events.cursor.split(',').find((c) => c.startsWith('p:'));
ok(!(await since(`${theirs.split(':').slice(0, -1).join(':')}:0`)).includes('for bob only'), "a cursor of another's channel opens nothing");
is(await since(`u:${bob.uuid}:${epoch}:0,${ann.cursor}`), ' true', "so does another user's");
is(await since(`c:nosuch:${epoch}:7,${ann.cursor}`), ' true', 'and one of a channel that is not joined');
for (const bad of ['x', ':', '::', 'g:', 'g::1', 'g:xyz:1', 'g:abc:-1', 'g:abc:1.5', `g:abc:${'9'.repeat(20)}`, `${'g'.repeat(200)}:abc:1`, 'G:abc:1', 'g:abc:1,,', `${'g:abc:1,'.repeat(300)}g:abc:1`, 'g:abc:1\n', 'g abc:1']) {
  is(await since(bad), '3 since', `garbage is error 3: ${JSON.stringify(bad.slice(0, 20))}`);
}
is(await since(7), '3 since', 'a number is none');
is(await since([7]), '3 since', 'nor is a list of them');
for (const wait of [-1, 56, 'x', 1.5]) is((await ann.post('events', { wait })).error?.payload, 'wait', `wait is bounded: ${wait}`);
is((await post(url, 'events', { accessKey: ann.key })).error.payload, 'sessionUUID', 'a session is needed');
is((await post(url, 'events', { accessKey: carl.key, sessionUUID: ann.session })).error.code, 10, "another's session is error 10");
is((await post(url, 'events', { accessKey: ann.key, sessionUUID: bob.uuid })).error.code, 4, 'an unknown one is error 4');
r = await (await fetch(`${url}/api/events?sessionUUID=${ann.session}&wait=0&since=${encodeURIComponent(ann.cursor)}`, { headers: { Authorization: `Bearer ${ann.key}` } })).json();
is(r.events?.recovered, true, 'by GET');
r = await ann.post('events', { wait: 1, since: ann.cursor }, { id: 'x' });
is(r.id, 'x', 'the id comes back from a poll that waited');
const ws = await Client.open(`${url.replace('http', 'ws')}/ws`);
await ws.ask({ type: 'signIn', signIn: { username: 'dora', password: 'secret123' } }, 'authorized');
is((await ws.ask({ type: 'events', events: {} }, 'error')).error.code, 2, 'on a WebSocket there is no such type');

// More than one reply holds.
await ann.poll(0);
const MANY = 1050;
for (let n = 0; n < MANY; n += 50) await Promise.all(Array.from({ length: 50 }, (_, k) => bob.post('channelMessage', { message: `m${n + k}` })));
const seen = [];
for (let n = 0; n < 30; n += 1) {
  r = await ann.poll(0);
  ok(r.events.recovered, 'recovered');
  seen.push(...r.events.frames.map((f) => f.channelMessage.seq));
  if (!r.events.more) break;
}
is(seen.length, MANY, `${MANY} missed messages follow page by page`);
ok(seen.every((q, i) => q === seen[0] + i), 'in order, each once');

// The connection for events is cut, and what is published meanwhile.
waiting = await parked(ann);
redis('client', 'kill', 'type', 'pubsub');
await bob.post('channelMessage', { message: 'in the gap' });
is(messages(await waiting.reply).join(), 'in the gap', 'an event that no subscription saw comes from the log');

// The history no longer reaches back.
const before = ann.cursor;
redis('ltrim', 'palaver:{g}:l', '-3', '-1');
await bob.post('channelMessage', { message: 'after the trim' });
is(messages(await ann.poll(0)).join(), 'after the trim', 'a cursor that the log still reaches');
r = await ann.poll(0, before.replace(/g:(\w+):\d+/, 'g:$1:5'));
is(`${messages(r).length} ${r.events.recovered}`, '4 false', 'beyond: the newest page, not recovered');
redis('del', 'palaver:{g}:l');
r = await ann.poll(0, before);
is(`${messages(r).length} ${r.events.recovered}`, '0 false', 'a log that lost all');
is((await ann.poll(0)).events.recovered, true, 'the cursor that it gave is good');

// Too many of one user at once, and who leaves makes room.
const eve = await Poller.open('eve');
const sessions = await Promise.all(Array.from({ length: 3 * HELD }, async () => (await post(url, 'signIn', { signIn: { accessKey: eve.key } })).authorized));
const hold = (s, wait, signal) => fetch(`${url}/api/events`, {
  method: 'POST', signal, headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ accessKey: eve.key, sessionUUID: s.sessionUUID, events: { since: s.cursor, wait } }),
}).then((f) => f, () => null);
const leaver = new AbortController();
const held = sessions.map((s) => hold(s, 50, leaver.signal));
const first = await Promise.race(held);
is(first.status, 503, `more than ${HELD} polls of a user in a process: 503`);
ok(Number(first.headers.get('Retry-After')) > 0, 'with Retry-After');
is((await first.json()).error.code, 21, 'and error 21');
leaver.abort();
await Promise.all(held);
await until('room again', async () => (await Promise.all(sessions.slice(0, 4).map((s) => hold(s, 1)))).every((f) => f.status === 200));
ok(true, 'those whose client has left make room');

waiting = await parked(ann);
const leaving = Date.now();
await ann.post('channelLeave', { recipientUUID: bob.uuid });
is((await waiting.reply).events.frames.length, 0, 'a poll that waits as a channel is left has nothing');
ok(Date.now() - leaving < 10000, 'and ends at once', Date.now() - leaving);
await bob.post('channelMessage', { message: 'psst again', recipientUUID: ann.uuid });
r = await ann.poll(20);
is(r.events.frames.map((f) => f.type).join(), 'sys', 'of the channel that was left nothing comes but that there is something');
ok(!ann.cursor.includes('p:'), 'the next cursor does not name it');

// What was said in a channel before the session left it is still for it, once.
const frames = (q) => q.events.frames.map((f) => f.channelMessage?.Message ?? (f.sys?.type ?? f.type)).join();
const all = async (p, since) => {
  let got = await p.poll(0, since);
  const seen = [frames(got)];
  while (got.events.more) seen.push(frames(got = await p.poll(0)));
  return `${seen.filter(Boolean).join()} ${got.events.recovered}`;
};
/** But for who came and went in a channel. */
const said = async (...asked) => (await all(...asked)).replace(/,?channel(Join|Leave)/g, '');
const say = (channel, ...texts) => texts.reduce((done, message) => done.then(() => bob.post('channelMessage', { channel, message })), Promise.resolve());
const gus = await Poller.open('gus');
const enter = async (channel, ...texts) => {
  await gus.join({ channel });
  await all(gus);
  await say(channel, ...texts);
};
const leave = (channel) => gus.post('channelLeave', { channel });

await enter('l1', 'a', 'b');
await leave('l1');
await say('l1', 'behind');
const former = gus.cursor;
is(await all(gus), 'a,b true', 'a channel that was left: what was said before, nothing from behind');
ok(gus.cursor.includes('c:l1:'), 'its end is in the cursor');
is(await all(gus, former), 'a,b true', 'the same again from the former cursor, when the answer was lost');
await say('l1', 'later');
is(await all(gus), ' true', 'then nothing more of it');
ok(!gus.cursor.includes('c:l1'), 'nor does the cursor name it');
is(redis('hget', `palaver:{sys}:s:${gus.session}`, 'l'), '', 'nor the record');

await enter('l2');
await gus.post('channelMessage', { channel: 'l2', message: 'bye' });
await leave('l2');
is(await all(gus), 'bye true', 'what one says oneself and leaves at once');
await gus.join({ channel: 'l3' });
await say('l3', 'c');
await leave('l3');
is(await all(gus), 'c,channelJoin true', 'joined and left between two polls, notice and all');
is(await all(gus), ' true', 'once');

for (const [name, joins, wants] of [
  ['', {}, ''], ['without messages', { limit: 0 }, 'd,e,f,'], ['with the newest', { limit: 2 }, 'd,e,'],
]) {
  for (const named of [false, true]) {
    const channel = `again${joins.limit ?? ''}${named ? 'named' : ''}`;
    await enter(channel, 'd', 'e', 'f');
    await leave(channel);
    await say(channel, 'between');
    const { cursor, messages: page } = await gus.join({ channel, ...joins });
    await say(channel, 'g');
    is(page.at(-1)?.Message ?? 'between', 'between', 'the reply has the newest');
    const from = gus.cursor;
    const since = named ? `${from},${cursor}` : from;
    is(await said(gus, since), `${wants}g true`, `left and joined anew ${name}: what is neither in the reply nor from between${named ? ', with the cursor of the join' : ''}`);
    is(await said(gus, since), `${wants}g true`, 'and again');
    await say(channel, 'h');
    is(await all(gus), 'h true', 'then it goes on');
    await leave(channel);
    is(await said(gus), ' true', 'and ends');
  }
}
for (const named of [false, true]) {
  const channel = `since${named}`;
  await enter(channel, 'd', 'e', 'f');
  await leave(channel);
  await say(channel, 'between');
  const back = await gus.join({ channel, since: gus.cursor, limit: 2 });
  is(`${back.messages.map((m) => m.Message)} ${back.more} ${back.recovered}`, 'd,e true true', 'joined anew with since: what was missed');
  is(await said(gus, named ? `${gus.cursor},${back.cursor}` : gus.cursor), 'f,between true', 'and the rest of it');
}
await enter('kept', 'i');
await leave('kept');
is(await all(gus), 'i true', 'what was read before it is joined anew');
await say('kept', 'between');
await gus.join({ channel: 'kept', limit: 0 });
await say('kept', 'j');
const kept = gus.cursor;
for (const k of [1, 2]) is(await said(gus, kept), 'j true', `is not given again, nor what is from between${k === 1 ? '' : ', and so again'}`);
await enter('twice', 'i');
await leave('twice');
await say('twice', 'between');
await gus.join({ channel: 'twice', limit: 0 });
await say('twice', 'j');
await leave('twice');
await say('twice', 'behind');
const twice = gus.cursor;
for (const k of [1, 2]) is(await said(gus, twice), 'i,j true', `left, joined and left: both parts ${k === 1 ? '' : 'again'}`);
is(await all(gus), ' true', 'and no more');

const ivy = await Poller.open('ivy');
const signedIn = ivy.cursor;
for (const [name, ...between] of [['at once'], ['later', 'between']]) {
  const channel = `lone${between.length}`;
  const joined = async (payload) => (await ivy.join({ channel, limit: 0, ...payload })).cursor;
  const first = await joined();
  await say(channel, 'v', 'w');
  await ivy.post('channelLeave', { channel });
  await say(channel, ...between);
  const second = await joined();
  await say(channel, 'x');
  const without = async (...cursors) => (await all(ivy, [signedIn, ...cursors].join())).replace(/,?(channel(Join|Leave)|signIn)/g, '').replace(/^,/, '').trim();
  is(await without(second), 'v,w,x true', `joined, left and joined anew ${name} before the first poll: all, by the latest cursor of a channel`);
  is(await without(first, second), 'v,w,x true', 'or by each of its joins');
  is(await without(), 'v,w,x true', 'or by none');
  const third = await joined({ limit: 1 });
  is(await without(second, third), 'v,w true', 'but for what the reply to a third has told already');
  is(await without(ivy.cursor, third), 'true', 'once');
  const other = await Poller.open(`other${between.length}`);
  const back = await other.join({ channel, since: second });
  is(`${back.messages.map((m) => m.Message)} ${back.recovered}`, 'x true', 'by that cursor another session goes on behind the join');
  await ivy.post('channelLeave', { channel });
  await all(ivy);
}
is(await ivy.poll(0, 'g:j:1').then((q) => q.error?.code), 3, 'a cursor of a join has an epoch');

for (const between of [[], ['between']]) {
  const channel = `anew${between.length}`;
  await enter(channel);
  await say(channel, 'k', 'l');
  await leave(channel);
  await say(channel, ...between);
  const { cursor } = await gus.join({ channel, limit: 0 });
  is(await said(gus, `${gus.cursor},${cursor}`), 'k,l true', `the cursor of a join without messages tells nothing of the time before${between.length ? '' : ', just where it left as well'}`);
  is((await all(gus)), ' true', 'once');
}

await enter('big', ...Array.from({ length: 230 }, (_, n) => `n${n}`));
await leave('big');
await gus.join({ channel: 'big', limit: 0 }); // just where it left
await say('big', 'anew');
const pages = await said(gus);
is(pages, `${Array.from({ length: 230 }, (_, n) => `n${n}`).join()},anew true`, 'more than one reply holds, and then what it joined anew');
await leave('big');
is(await said(gus), ' true', 'once');

const long = Array.from({ length: 130 }, (_, n) => `n${n}`);
await enter('long', ...long);
await leave('long');
await gus.join({ channel: 'long', limit: 0 });
await say('long', 'anew');
await leave('long');
is(await said(gus), `${long.join()},anew true`, 'or what it joined anew and left, too');
for (const since of [false, true]) {
  const channel = `refreshed${since}`;
  await enter(channel, ...long);
  await leave(channel);
  await say(channel, 'between');
  const first = await gus.join({ channel, limit: 0 });
  await say(channel, 'anew');
  if (!since) gus.cursor += `,${first.cursor},${(await gus.join({ channel, limit: 1 })).cursor}`;
  let came = frames(await gus.poll(0, since ? `${gus.cursor},${first.cursor}` : gus.cursor));
  if (since) gus.cursor += `,${(await gus.join({ channel, since: gus.cursor, limit: 1 })).cursor}`;
  came += `,${await all(gus)}`;
  is(came.replace(/,?channel(Join|Leave)/g, ''), `${long.join()} true`, `joining once more ${since ? 'with since while the rest follows' : 'before the rest follows'}: what its reply told does not come`);
}
await enter('retold', 'd', 'e', 'f');
await leave('retold');
await say('retold', 'between');
await gus.join({ channel: 'retold', limit: 0 }); // the reply is lost
const retold = await gus.join({ channel: 'retold', since: gus.cursor, limit: 2 });
await say('retold', 'g');
is(`${retold.messages.map((m) => m.Message)} ${await all(gus, `${gus.cursor},${retold.cursor}`)}`.replace(/,?channel(Join|Leave)/g, ''), 'd,e f,between,g true', 'joined anew, and once more with since: the rest of what was missed');
await enter('cut', ...Array.from({ length: 9 }, (_, n) => `o${n}`));
await leave('cut');
await say('cut', 'behind');
redis('ltrim', 'palaver:{c:cut}:l', '-4', '-1');
const lacking = gus.cursor;
for (const k of [1, 2]) is(await all(gus, lacking), 'o6,o7,o8 false', `what the log has dropped is told${k === 1 ? '' : ', again'}: the newest before the leave`);
is(await all(gus), ' true', 'until it was heard');
await enter('gone', 'p');
await leave('gone');
redis('del', 'palaver:{c:gone}:l', 'palaver:{c:gone}:m');
await say('gone', 'q', 'r');
is(await all(gus), ' false', 'a log that lost all gives nothing of what is new in it');
is(await all(gus), ' true', 'once');

await enter('lost', 'p', 'q');
await leave('lost');
await gus.join({ channel: 'lost', limit: 0 });
redis('del', 'palaver:{c:lost}:l', 'palaver:{c:lost}:m');
await say('lost', 'new');
is(await said(gus), 'new false', 'nor does one that it joined anew tell of it more than once');
for (const k of [1, 2, 3]) is(await all(gus), ' true', `once ${k}`);
await leave('lost');
await all(gus);

for (const anew of [false, true]) {
  const channel = `wiped${anew}`;
  const wipe = () => redis('del', `palaver:{c:${channel}}:l`, `palaver:{c:${channel}}:m`);
  await enter(channel, ...Array(10).fill('text'));
  await all(gus);
  wipe();
  await say(channel, 'x', 'y');
  const { cursor } = anew ? await gus.join({ channel, limit: 0 }) : gus;
  if (anew) await say(channel, 'z');
  await leave(channel);
  is(await said(gus, `${gus.cursor},${cursor}`), anew ? 'z true' : 'x,y false', `a place in a log that was lost tells nothing of the new one${anew ? ', that of a join in it does' : ''}`);
  is(await all(gus), ' true', 'once');
}

const privately = { recipientUUID: gus.uuid };
await gus.join({ recipientUUID: bob.uuid });
await all(gus);
await bob.post('channelMessage', { ...privately, message: 'before' });
await gus.post('channelLeave', { recipientUUID: bob.uuid });
await bob.post('channelMessage', { ...privately, message: 'behind' });
r = await gus.poll(0);
is(frames(r), 'channelMessage,before', 'of a private channel as well, and that there is something behind');
is(r.events.frames[0].sys.channelMessage.seq, r.events.frames[1].channelMessage.seq + 1, 'is told of what is behind alone');
is(await all(gus), ' true', 'once');

await gus.join({ recipientUUID: bob.uuid, limit: 0 });
await bob.post('channelMessage', { ...privately, message: 'in' });
await gus.post('channelLeave', { recipientUUID: bob.uuid });
await bob.post('channelMessage', { ...privately, message: 'between' });
await gus.join({ recipientUUID: bob.uuid, limit: 0 });
await bob.post('channelMessage', { ...privately, message: 'in again' });
await gus.post('channelLeave', { recipientUUID: bob.uuid });
is(await said(gus), 'channelMessage,in,in again true', 'and of the one between two memberships that there is one');

for (let n = 0; n < 64; n += 1) await gus.join({ channel: `m${n}` });
await all(gus);
const oldest = (await gus.post('users', { channel: 'twice' })).users.total;
is(oldest, 0, 'in none of those');
await say('m0', 's');
await gus.join({ channel: 'm64' });
await say('m0', 'behind');
is(await said(gus), 's true', 'a channel that gave way to a newer one');
for (let n = 1; n < 71; n += 1) {
  if (n > 64) await gus.join({ channel: `m${n}`, limit: 0 });
  await say(`m${n}`, `t${n}`);
  await leave(`m${n}`);
}
const full = gus.cursor;
for (const k of [1, 2]) is(await said(gus, full), `${Array.from({ length: 64 }, (_, n) => `t${n + 7}`).join()} false`, `of more than are kept the newest, and that there was more${k === 1 ? '' : ', and again'}`);
is(await all(gus), ' true', 'once');
const hal = await Poller.open('hal');
for (let n = 0; n < 65; n += 1) {
  await hal.join({ channel: `i${n}`, limit: 0 });
  await hal.post('channelLeave', { channel: `i${n}` });
}
is(await said(hal), ' true', 'of notices alone that are not kept nothing is told');

// A session lives for the time that its poll may wait and 20 s more.
const lives = () => Number(redis('zscore', 'palaver:{sys}:polls', ann.session)) - Date.now();
const near = (ms, wanted) => ms <= wanted && ms > wanted - 5000;
await ann.poll(0);
ok(near(lives(), 45000), 'a poll does not shorten the lease that another request gave', lives());
waiting = await parked(ann, 50);
ok(near(lives(), 70000), 'one that may wait for 50 s has a lease of 70 s', lives());
await bob.post('channelMessage', { message: 'long' });
await waiting.reply;
ok(lives() > 60000, 'which its end does not take away', lives());

// A dead key ends what waits.
waiting = await parked(ann);
await ann.post('signOut');
ok((await waiting.reply).status === 200, 'signOut ends the poll that waits');
is((await ann.poll(0)).error.code, 4, 'the session is dead');

// A stop answers all.
waiting = await parked(bob);
const stopped = end('r1', 'r2', 'bridge');
is((await waiting.reply).status, 200, 'a responder that ends answers the polls first');
await stopped;
