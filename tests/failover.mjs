// SPDX-License-Identifier: MIT
// Failover to a replica: the programs know one address, behind which another
// Redis answers from one moment to the next. Without loss all sessions go on as
// if nothing had been; what was lost is seen by those who had seen it.
import { startResponder, startBridge, startNginx, post, Client, ok, is, until, end, work } from './lib.mjs';
import { Address, copied, parted, redisAt } from './lib-failover.mjs';

const one = await redisAt('one');
const two = await redisAt('two', one.port);
const address = await Address.of(one);
const env = {
  PALAVER_REDIS: address.url, PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_NOTICE_RATE: '0',
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
const by = ({ accessKey, sessionUUID }) => (type, payload) => post(url, type, { accessKey, sessionUUID, [type]: payload });
const byPoller = by(poller);
await byPoller('channelJoin');
let at = [];
/** What a long-poll session gets of general until it has got n messages. */
async function polled(n) {
  const got = { messages: [], recovered: true };
  await until(`${n} messages`, async () => {
    const { events } = await byPoller('events', { since: at, wait: 0 });
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
const kept = (await byPoller('channelJoin', { channel: 'kept' })).channelJoin.cursor;
const left = (await byPoller('channelJoin', { channel: 'left' })).channelJoin.cursor;
await byPoller('channelLeave', { channel: 'left' });
const leaver = by((await post(url, 'signIn', { signIn: { accessKey: poller.accessKey } })).authorized);
const out = (await leaver('channelJoin', { channel: 'out' })).channelJoin.cursor;
await leaver('channelMessage', { channel: 'out', message: 'bye' });
await leaver('channelLeave', { channel: 'out' });
const seen = cursor(ann);
await send(ann, 10);
await until('all of them', () => messages(bob.frames).length === 11);
await copied(one, two);
const later = seen; // with one message missed
await address.promote(two);
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
const stands = async (...since) => (await byPoller('events', { since: [at, ...since].join(), wait: 0 }));
is((await stands(kept)).events?.recovered, true, 'in all that it has joined');
is((await stands(left)).events?.recovered, true, 'and a cursor of what it left is none');
const { events: last } = await leaver('events', { since: out, wait: 0 });
is(last && `${messages(last.frames)} ${last.recovered}`, 'bye true', 'of which it still gets what was said before it left');
const again = await open();
const { authorized } = await again.ask({ type: 'signIn', signIn: { accessKey: ann.key } }, 'authorized');
const { channelJoin } = await again.ask({ type: 'channelJoin', channelJoin: { since: seen, limit: 100 } });
is(`${authorized.created} ${channelJoin.recovered} ${channelJoin.messages.map((m) => m.Message).join()}`, `false true ${numbers(10, 20)}`, 'so does who comes back with a cursor of before');
again.ws.close();
is((await ann.ask({ type: 'users', users: { online: true } })).users.received, 3, 'all three are on line');

// ---- what was stored last is lost ----

const joiner = by((await post(url, 'signIn', { accessKey: poller.accessKey })).authorized);
const rejoiners = await Promise.all([0, 1].map(async (n) => {
  const rejoiner = by((await post(url, 'signIn', { accessKey: poller.accessKey })).authorized);
  await rejoiner('channelJoin', { channel: `again${n}` });
  await rejoiner('channelMessage', { channel: `again${n}`, message: 'bye' });
  await rejoiner('channelLeave', { channel: `again${n}` });
  return rejoiner;
}));
const quiet = { type: 'channelJoin', channelJoin: { channel: 'quiet' } };
const watch = await open();
await watch.ask({ type: 'signIn', signIn: { username: 'dora', password: PASSWORD } }, 'authorized');
await watch.ask(quiet);
/** Whose joins of quiet it has been told. */
const came = () => watch.frames.filter((f) => f.type === 'sys' && f.sys.channelJoin?.channel === 'quiet').map((f) => f.user.Username).join();
await ann.ask(quiet);
await until('two to be there', () => came() === 'dora,ann');
const three = await redisAt('three', two.port);
await copied(two, three);
const before = cursor(ann);
await parted(three);
for (let n = 20; n < 23; n += 1) await send(bob, n);
await until('all of them', () => messages(bob.frames).length === 23 && messages(ann.frames).length === 23);
await polled(3);
await bob.ask(quiet);
await until('three to be there', () => came() === 'dora,ann,bob');
const joined = (await joiner('channelJoin', { channel: 'lost' })).channelJoin.cursor;
const rejoined = await Promise.all(rejoiners.map(async (rejoiner, n) => {
  const { cursor: place } = (await rejoiner('channelJoin', { channel: `again${n}` })).channelJoin;
  return n ? (await rejoiner('events', { since: place, wait: 0 })).events.cursor : place;
}));
const lost = cursor(bob);
await address.promote(three);
await until('the loss to be seen', () => ann.code && bob.code);
is(`${ann.code} ${bob.code}`, '4008 4008', 'with loss, who has seen what was lost is closed with 4008');
let news;
await until('a reply', async () => {
  ({ events: news } = await byPoller('events', { since: at, wait: 0 }));
  return news;
});
is(news.recovered, false, 'by long-poll recovered is false');
is(messages(news.frames).join(), numbers(0, 20), 'with the newest of what is left');
const { error } = await joiner('events', { since: joined, wait: 0 });
is(`${error?.code} ${error?.payload}`, '4 sessionUUID', 'a session whose join was lost is told that it has ended');
is((await joiner('events', { wait: 0 })).error?.code, 4, 'and has');
for (const n of [0, 1]) is((await rejoiners[n]('events', { since: rejoined[n], wait: 0 })).error?.code, 4, `so is one that had left the channel before that join${n ? ', and has polled since' : ''}`);
const back = await member({ accessKey: ann.key });
await send(back, 30);
is((await back.next('channelMessage')).channelMessage.seq, 21, 'the numbers go on where the new Redis was');
const eve = await member({ username: 'eve', password: PASSWORD });
await eve.ask(quiet);
await until('eve to be told of', () => came().endsWith('eve'));
// That bob came is lost, and may be told as news.
is(`${came().replace(/,bob/g, '')} ${watch.code}`, 'dora,ann,eve 0', 'who has seen no message that was lost stays, and is told no notice again');
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
