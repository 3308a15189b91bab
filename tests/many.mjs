// SPDX-License-Identifier: MIT
// Two bridges and four responders on one Redis: 20 users on all of them, each
// message exactly once, in one order. Then 1,000 WebSockets in one channel.
import { startRedis, startResponder, startBridge, startNginx, Client, ok, is, until, post, end, work } from './lib.mjs';

const USERS = 20;
const EACH = 25;
const CROWD = 1000;
const SENT = 40;

await startRedis();
const responders = ['r1', 'r2', 'r3', 'r4'];
const limits = { PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0' };
for (const r of responders) await startResponder(r, limits);
await startBridge('b1', limits);
await startBridge('b2', limits);
const url = await startNginx(responders, ['b1', 'b2']);
const direct = (n) => `ws+unix://${work}/b${1 + (n % 2)}.sock:/ws`;

const users = await Promise.all(Array.from({ length: USERS }, async (_, n) => {
  const c = await Client.open(direct(n));
  const { authorized } = await c.ask({ type: 'signIn', signIn: { username: `user${n}`, password: 'secret123' } }, 'authorized');
  await c.ask({ type: 'channelJoin' });
  return Object.assign(c, { key: authorized.accessKey, uuid: authorized.userUUID });
}));
// Half of the messages by WebSocket, half through the responders.
const acknowledged = new Set();
await Promise.all(users.map(async (c, n) => {
  for (let k = 0; k < EACH; k += 1) {
    const message = `${n}.${k}`;
    if (k % 2) {
      c.send({ type: 'channelMessage', id: message, channelMessage: { message } });
      acknowledged.add((await until('an ack', () => c.frames.find((f) => f.id === message))).ack.UUID);
    } else {
      acknowledged.add((await post(url, 'channelMessage', { accessKey: c.key, channelMessage: { message } })).channelMessage.UUID);
    }
  }
}));
const total = USERS * EACH;
const got = (c) => c.frames.filter((f) => f.type === 'channelMessage').map((f) => f.channelMessage);
await until('all messages', () => users.every((c) => got(c).length >= total));
is(acknowledged.size, total, `${total} messages were acknowledged`);
const order = got(users[0]).map((m) => m.UUID);
ok(order.every((u) => acknowledged.has(u)) && new Set(order).size === total, 'each of them arrives exactly once');
ok(users.every((c) => got(c).map((m) => m.UUID).join() === order.join()), `in one order at all ${USERS}`);
ok(users.every((c) => got(c).every((m, i) => m.seq === i + 1)), 'their seq has no hole');
ok(users.every((c, n) => got(c).filter((m) => m.SenderUUID === c.uuid).every((m, k) => m.Message === `${n}.${k}`)), "in each sender's own order");

const joined = await post(url, 'signIn', { signIn: { username: 'reader', password: 'secret123' } });
const history = await post(url, 'channelJoin', { accessKey: joined.authorized.accessKey, sessionUUID: joined.authorized.sessionUUID, channelJoin: { limit: 100 } });
is(history.channelJoin.messages.map((m) => m.UUID).join(), order.slice(-100).join(), 'the history has the same order');
for (const c of users) c.ws.close();

// The crowd: sessions of 20 users, half on each bridge.
const crowd = [];
for (let n = 0; n < CROWD; n += 50) {
  crowd.push(...await Promise.all(Array.from({ length: 50 }, async (_, k) => {
    const c = await Client.open(direct(n + k));
    await c.ask({ type: 'signIn', signIn: { accessKey: users[(n + k) % USERS].key } }, 'authorized');
    await c.ask({ type: 'channelJoin', channelJoin: { channel: 'crowd' } });
    return c;
  })));
}
is(crowd.length, CROWD, `${CROWD} WebSockets in one channel`);
await Promise.all(Array.from({ length: SENT }, (_, n) => crowd[n * 7].send({ type: 'channelMessage', channelMessage: { channel: 'crowd', message: `m${n}` } })));
await until('the crowd', () => crowd.every((c) => got(c).length >= SENT));
const first = got(crowd[0]).map((m) => m.UUID).join();
ok(crowd.every((c) => got(c).length === SENT && got(c).every((m, i) => m.seq === i + 1)), 'nothing lost or doubled');
ok(crowd.every((c) => got(c).map((m) => m.UUID).join() === first), 'one order for all');
for (const c of crowd) c.ws.terminate();
await end(...responders, 'b1', 'b2');
