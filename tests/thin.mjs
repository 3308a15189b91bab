// SPDX-License-Identifier: MIT
// Notices thinned: a crowd signs in, joins and leaves at once.
import { startRedis, startBridge, Client, ok, is, until, end, work } from './lib.mjs';

const CROWD = 80;
const RATE = 20;
const env = { PALAVER_PRESENCE_GRACE: 300, PALAVER_PRESENCE_LEASE: 1500, PALAVER_SIGN_IN_RATE: '0', PALAVER_SIGN_UP_RATE: '0', PALAVER_CONNECTION_RATE: '0' };
await startRedis();
await startBridge('thin', { ...env, PALAVER_NOTICE_RATE: `${RATE}/1` });
await startBridge('all', { ...env, PALAVER_NOTICE_RATE: '0' });
const at = (bridge) => `ws+unix://${work}/${bridge}.sock:/ws`;
async function enter(bridge, username) {
  const c = await Client.open(at(bridge));
  c.uuid = (await c.ask({ type: 'signIn', signIn: { username, password: 'secret123' } }, 'authorized')).authorized.userUUID;
  return c;
}
const kinds = { signIn: (f) => f.sys?.signIn?.uuid, signOut: (f) => f.sys?.signOut?.uuid, join: (f) => f.sys?.type === 'channelJoin' && f.userUUID, leave: (f) => f.type === 'channelLeave' && f.userUUID };
const told = (c, kind) => c.frames.map(kinds[kind]).filter(Boolean);
const others = (c, kind) => told(c, kind).filter((u) => u !== c.uuid);
const news = (c) => c.frames.filter((f) => f.sys?.type === 'users').map((f) => f.sys.users);
const seqOf = (f) => Number(f.cursor.split(':').at(-1));
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

const watch = await enter('thin', 'watch');
const twin = await enter('thin', 'watch'); // another session of the same user
const every = await enter('all', 'every');
for (const c of [watch, twin, every]) await c.ask({ type: 'channelJoin', channelJoin: { channel: 'x' } });

// Below the rate everything comes.
const first = await enter('all', 'first');
await first.ask({ type: 'channelJoin', channelJoin: { channel: 'x' } });
await until('notices', () => told(watch, 'signIn').includes(first.uuid) && told(watch, 'join').includes(first.uuid));
ok(news(watch).length === 0, 'below the rate all notices come, and no sys users');

// The crowd, half on each bridge, signs in and joins while messages are sent.
const started = Date.now();
const crowd = (await Promise.all(Array.from({ length: CROWD }, (_, n) => enter(n % 2 ? 'thin' : 'all', `crowd${n}`))));
await until('no limit', () => others(every, 'signIn').length >= CROWD + 1);
is(new Set(others(every, 'signIn')).size, CROWD + 1, 'without a limit each signIn is told');
const stormed = Math.ceil((Date.now() - started) / 1000);
await until('sys users', () => news(watch).length > 0);
ok(others(watch, 'signIn').length <= RATE * (stormed + 1) + 2 && others(watch, 'signIn').length < CROWD, `above the rate only ${others(watch, 'signIn').length} of ${CROWD} signIns come`);
ok(crowd.every((c) => told(c, 'signIn').filter((u) => u === c.uuid).length === 1), 'D36: each has its own signIn, once');
ok(crowd.every((c) => c.frames.findIndex((f) => f.type === 'authorized') + 1 === c.frames.findIndex((f) => f.sys?.signIn?.uuid === c.uuid)), 'right behind authorized');

let sent = 0;
await sleep(2100); // so that the joins begin with nothing thinned
const before = [news(watch).length, Date.now()];
const joins = Promise.all(crowd.map((c) => c.ask({ type: 'channelJoin', channelJoin: { channel: 'x' } })));
for (; sent < 25; sent += 1) first.send({ type: 'channelMessage', channelMessage: { channel: 'x', message: `m${sent}` } });
await joins;
await until('no limit', () => others(every, 'join').length >= CROWD);
await until('own joins', () => crowd.every((c) => told(c, 'join').includes(c.uuid)));
ok(crowd.every((c) => told(c, 'join').filter((u) => u === c.uuid).length === 1), 'each has its own channelJoin, once');
ok(others(watch, 'join').length <= RATE * 2 + 1, `only ${others(watch, 'join').length} of ${CROWD} channelJoins come`);
await until('messages', () => [watch, twin].every((c) => c.frames.filter((f) => f.type === 'channelMessage').length >= sent));
is(watch.frames.filter((f) => f.type === 'channelMessage').map((f) => f.channelMessage.seq).join(), Array.from({ length: sent }, (_, n) => n + 1).join(), 'no message is thinned');
first.send({ type: 'channelMessage', channelMessage: { recipientUUID: watch.uuid, message: 'psst' } });
await until('sys channelMessage', () => watch.frames.some((f) => f.sys?.type === 'channelMessage'));
ok(true, 'sys channelMessage neither');
await until('sys users', () => news(watch).length > before[0]);
await until('the number of users', () => news(watch).at(-1).total >= 3 + 1 && news(watch).at(-1).after >= 1);
ok(news(watch).every((u) => Object.keys(u).sort().join() === 'after,total'), 'sys users { total, after }');

// Its own user's comings and goings pass, however many there are.
const mine = await enter('thin', 'watch');
await mine.ask({ type: 'channelJoin', channelJoin: { channel: 'mine' } });
await twin.ask({ type: 'channelJoin', channelJoin: { channel: 'mine' } });
await until('own join', () => told(mine, 'join').includes(mine.uuid));

// They all go: thinned once more, one sys users a second.
const leaving = news(watch).length;
const from = Date.now();
for (const c of crowd) c.send({ type: 'signOut' });
await until('no limit', () => others(every, 'signOut').length >= CROWD && others(every, 'leave').length >= CROWD);
ok(others(watch, 'signOut').length + others(watch, 'leave').length < CROWD, `${others(watch, 'signOut').length} of ${CROWD} signOuts and ${others(watch, 'leave').length} of ${CROWD} channelLeaves come`);
await until('sys users', () => news(watch).length > leaving);
await sleep(1200);
const tolds = news(watch).length - leaving;
ok(tolds <= Math.ceil((Date.now() - from) / 950) + 1, `sys users comes once a second: ${tolds} times`);

// When it is quiet again notices come, and their cursor has passed over all.
await sleep(2100);
const quiet = news(watch).length;
const late = await enter('all', 'late');
await late.ask({ type: 'channelJoin', channelJoin: { channel: 'x' } });
const last = await until('a notice', () => watch.frames.find((f) => f.userUUID === late.uuid && f.sys?.type === 'channelJoin'));
is(seqOf(last), seqOf(every.frames.find((f) => f.userUUID === late.uuid)), 'a cursor passes over what was thinned');
const seqs = watch.frames.filter((f) => f.cursor?.startsWith('c:x~')).map(seqOf);
ok(seqs.every((s, i) => i === 0 || s > seqs[i - 1]), 'what comes is in order, each once');
is(news(watch).length, quiet, 'quiet: no sys users');
for (const c of [watch, twin, every, first, mine, late, ...crowd]) c.ws.terminate();
await end('thin', 'all');
