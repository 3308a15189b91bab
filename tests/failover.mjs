// SPDX-License-Identifier: MIT
// Failover to a replica: the programs know one address, behind which another
// Redis answers from one moment to the next. Without loss all sessions go on as
// if nothing had been; what was lost is seen by those who had seen it.
import { execFile } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { mkdirSync } from 'node:fs';
import { start, startResponder, startBridge, startNginx, stop, freePort, post, Client, ok, is, until, end, work } from './lib.mjs';

const cli = (port, ...args) => new Promise((done) => {
  execFile('redis-cli', ['-p', String(port), ...args], (_, out) => done(String(out).trim()));
});

/** A Redis at a port of its own; after: the port of the one that it copies. */
async function redis(name, after) {
  const port = await freePort();
  mkdirSync(`${work}/${name}`);
  start(name, 'redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', `${work}/${name}`, '--repl-diskless-sync-delay', '0',
    ...(after ? ['--replicaof', `127.0.0.1 ${after}`] : [])]);
  await until(name, async () => (await cli(port, 'PING')) === 'PONG');
  if (after) await until('the copy', async () => /master_link_status:up/.test(await cli(port, 'INFO', 'replication')));
  return { name, port };
}

/** Until the copy has all that from has; WAIT tells only of its own client's. */
async function copied(from, copy) {
  const offset = async (r) => /master_repl_offset:(\d+)/.exec(await cli(r.port, 'INFO', 'replication'))?.[1];
  await until('the copy to have it all', async () => {
    const before = await offset(from);
    return before === await offset(copy) && before === await offset(from);
  });
}

// ---- the address ----

let target;
const held = new Set();
const address = createServer((from) => {
  const to = connect(target.port, '127.0.0.1');
  for (const [a, b] of [[from, to], [to, from]]) {
    held.add(a);
    a.on('data', (d) => b.write(d));
    a.on('close', () => {
      held.delete(a);
      b.destroy();
    });
    a.on('error', () => {});
  }
});
await new Promise((r) => { address.listen(0, '127.0.0.1', r); });
/** From now on another one answers there. */
async function promote(other) {
  const before = target;
  await stop(before.name, 'SIGKILL');
  await cli(other.port, 'REPLICAOF', 'NO', 'ONE');
  target = other;
  for (const s of held) s.destroy();
}

const one = target = await redis('one');
const two = await redis('two', one.port);
const env = {
  PALAVER_REDIS: `redis://127.0.0.1:${address.address().port}`, PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_NOTICE_RATE: '0',
};
await startResponder('responder', env);
await startBridge('bridge', env);
const url = await startNginx(['responder'], ['bridge']);

// ---- who is there ----

const PASSWORD = 'secret123';
const open = () => Client.open(`ws+unix://${work}/bridge.sock:/ws`);
async function member(payload) {
  const c = await open();
  const { authorized } = await c.ask({ type: 'signIn', signIn: payload }, 'authorized');
  const { channelJoin } = await c.ask({ type: 'channelJoin' });
  return Object.assign(c, { user: authorized.userUUID, key: authorized.accessKey, joined: channelJoin });
}
const messages = (frames) => frames.filter((f) => f.type === 'channelMessage').map((f) => f.channelMessage.Message);
const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => `m${from + i}`).join();
/** The latest cursor of general that c has had. */
const cursor = (c) => c.frames.findLast((f) => f.type === 'channelMessage').cursor;
const epoch = (text) => text.split(',').find((s) => s.startsWith('g:')).split(':')[1];
/** Sends it, again and again until it is known to be stored. */
async function send(c, n) {
  const channelMessage = { message: `m${n}`, UUID: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}` };
  await until(`m${n} to be stored`, async () => {
    const reply = await post(url, 'channelMessage', { accessKey: c.key, channelMessage });
    return reply.channelMessage;
  });
}

const ann = await member({ username: 'ann', password: PASSWORD });
const bob = await member({ username: 'bob', password: PASSWORD });
const poller = (await post(url, 'signIn', { signIn: { username: 'carl', password: PASSWORD } })).authorized;
await post(url, 'channelJoin', { accessKey: poller.accessKey, sessionUUID: poller.sessionUUID });
let at = [];
/** What a long-poll session gets of general until it has got n messages. */
async function polled(n) {
  const got = { messages: [], recovered: true };
  await until(`${n} messages`, async () => {
    const { events } = await post(url, 'events', { accessKey: poller.accessKey, sessionUUID: poller.sessionUUID, events: { since: at, wait: 0 } });
    if (!events) return false;
    got.messages.push(...messages(events.frames));
    got.recovered &&= events.recovered;
    at = events.cursor;
    return got.messages.length >= n && !events.more;
  });
  return got;
}

// ---- nothing is lost ----

for (let n = 0; n < 10; n += 1) await send(ann, n);
is((await polled(10)).messages.join(), numbers(0, 10), 'ten messages');
const seen = cursor(ann);
await send(ann, 10);
await until('all of them', () => messages(bob.frames).length === 11);
await copied(one, two);
const later = seen; // with one message missed
await promote(two);
for (let n = 11; n < 20; n += 1) await send(bob, n);
await until('all of them', () => [ann, bob].every((c) => messages(c.frames).length === 20));
for (const [name, c] of Object.entries({ ann, bob })) {
  is(messages(c.frames).join(), numbers(0, 20), `without loss ${name}'s WebSocket goes on: each message once, in order`);
  is(c.code, 0, 'it was not closed');
}
ok(ann.frames.filter((f) => f.type === 'channelMessage').every((f, i) => f.channelMessage.seq === i + 1), 'the numbers have no hole');
ok(epoch(cursor(ann)) !== epoch(seen), 'the epoch is another');
const rest = await polled(10);
is(rest.messages.join(), numbers(10, 20), 'a long-poll session goes on as well');
is(rest.recovered, true, 'and nothing says that anything was lost');
const again = await open();
const { authorized } = await again.ask({ type: 'signIn', signIn: { accessKey: ann.key } }, 'authorized');
const { channelJoin } = await again.ask({ type: 'channelJoin', channelJoin: { since: seen, limit: 100 } });
is(`${authorized.created} ${channelJoin.recovered} ${channelJoin.messages.map((m) => m.Message).join()}`, `false true ${numbers(10, 20)}`, 'so does who comes back with a cursor of before');
again.ws.close();
is((await ann.ask({ type: 'users', users: { online: true } })).users.received, 3, 'all three are on line');

// ---- what was stored last is lost ----

const three = await redis('three', two.port);
await copied(two, three);
const before = cursor(ann);
await cli(three.port, 'REPLICAOF', 'NO', 'ONE'); // it follows no more
for (let n = 20; n < 23; n += 1) await send(bob, n);
await until('all of them', () => messages(bob.frames).length === 23 && messages(ann.frames).length === 23);
await polled(3);
const lost = cursor(bob);
await promote(three);
await until('the loss to be seen', () => ann.code && bob.code);
is(`${ann.code} ${bob.code}`, '4008 4008', 'with loss, who has seen what was lost is closed with 4008');
let news;
await until('a reply', async () => {
  ({ events: news } = await post(url, 'events', { accessKey: poller.accessKey, sessionUUID: poller.sessionUUID, events: { since: at, wait: 0 } }));
  return news;
});
is(news.recovered, false, 'by long-poll recovered is false');
is(messages(news.frames).join(), numbers(0, 20), 'with the newest of what is left');
const back = await member({ accessKey: ann.key });
await send(back, 30);
is((await back.next('channelMessage')).channelMessage.seq, 21, 'the numbers go on where the new Redis was');
const resumes = [
  ['has seen what was lost', lost, `false ${numbers(11, 20)},m30`], ['has not', before, 'true m30'],
  ['was away since before the first failover', later, `false ${numbers(11, 20)},m30`],
];
for (const [who, since, wanted] of resumes) {
  const { channelJoin } = await back.ask({ type: 'channelJoin', channelJoin: { since } });
  is(`${channelJoin.recovered} ${channelJoin.messages.map((m) => m.Message).join()}`, wanted, `who ${who} resumes: recovered is ${wanted.split(' ')[0]}`);
}
back.ws.close();
address.close();
await end('responder', 'bridge');
