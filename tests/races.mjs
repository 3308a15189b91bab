// SPDX-License-Identifier: MIT
// Who is first is one: 100 parallel sign-ins and sign-ups of one name make one
// user, parallel first messages of two people one private channel.
import { startRedis, startResponder, startBridge, startNginx, Client, ok, is, until, post, end, work } from './lib.mjs';

const MANY = 100;
const PASSWORD = 'secret123';
const env = { PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0' };
await startRedis();
const responders = ['r1', 'r2', 'r3', 'r4'];
for (const r of responders) await startResponder(r, env);
await startBridge('b1', env);
await startBridge('b2', env);
const url = await startNginx(responders, ['b1', 'b2']);
const bridge = (n) => `ws+unix://${work}/b${1 + (n % 2)}.sock:/ws`;
let sockets;

/** One attempt, again while there is no room for it: by HTTP or WebSocket, signIn or signUp. */
async function attempt(n, username) {
  const type = n % 4 < 2 ? 'signIn' : 'signUp';
  for (;;) {
    let reply;
    if (n % 2) {
      reply = await post(url, type, { [type]: { username, password: PASSWORD } });
    } else {
      const c = sockets[n / 2];
      const id = `${username}.${c.frames.length}`;
      c.send({ type, id, [type]: { username, password: PASSWORD } });
      reply = await until('a reply', () => c.frames.find((f) => f.id === id));
    }
    if (reply.error?.code !== 21) return { type, ...reply };
    await new Promise((r) => setTimeout(r, 50));
  }
}
for (const name of ['ann', 'Bob']) {
  sockets = await Promise.all(Array.from({ length: MANY / 2 }, (_, n) => Client.open(bridge(n))));
  const spell = (n) => (n % 3 ? name : name.toUpperCase());
  const replies = await Promise.all(Array.from({ length: MANY }, (_, n) => attempt(n, spell(n))));
  const good = replies.filter((r) => r.authorized);
  const refused = replies.filter((r) => !r.authorized);
  is(new Set(good.map((r) => r.authorized.userUUID)).size, 1, `${MANY} parallel sign-ins and sign-ups of ${name} make one user`);
  is(good.filter((r) => r.authorized.created).length, 1, 'created once');
  ok(good.length >= MANY / 2 && refused.every((r) => r.error.code === 6), `${good.length} were signed in, ${refused.length} sign-ups refused with error 6`, refused.map((r) => r.error.code).join());
  const live = (await Promise.all(good.map(({ authorized }) => post(url, 'users', { accessKey: authorized.accessKey })))).filter((r) => r.status === 200);
  is(live.length, 16, 'sixteen keys of it live');
  const signed = sockets.filter((c) => c.frames.some((f) => f.authorized));
  await until('the rest to be closed', () => signed.filter((c) => c.code === 4001).length >= signed.length - 16);
  for (const c of sockets) c.ws.close();
}
const first = async (username) => (await post(url, 'signIn', { signIn: { username, password: PASSWORD } })).authorized;
const ann = await first('ann');
const users = (await post(url, 'users', { accessKey: ann.accessKey })).users;
is(users.total, 2, 'two names, two users');

// Both write to each other at once, from everywhere, and join while they do.
for (let round = 0; round < 3; round += 1) {
  const two = await Promise.all(['x', 'y'].map((n) => first(`${n}${round}`)));
  const clients = await Promise.all(two.map(async ({ accessKey }, n) => {
    const c = await Client.open(bridge(n));
    await c.ask({ type: 'signIn', signIn: { accessKey } }, 'authorized');
    return c;
  }));
  const other = (n) => two[1 - n].userUUID;
  const joins = await Promise.all(two.flatMap((who, n) => [
    clients[n].ask({ type: 'channelJoin', channelJoin: { recipientUUID: other(n) } }),
    ...Array.from({ length: 10 }, (_, k) => post(url, 'channelMessage', { accessKey: who.accessKey, channelMessage: { recipientUUID: other(n), message: `${n}.${k}` } })),
    post(url, 'channelJoin', { accessKey: who.accessKey, sessionUUID: who.sessionUUID, channelJoin: { recipientUUID: other(n) } }),
  ]));
  const stored = joins.filter((r) => r.type === 'channelMessage').map((r) => r.channelMessage.seq).sort((a, b) => a - b);
  const uuids = new Set(joins.filter((r) => r.type === 'channelJoin').map((r) => r.channelJoin.channelUUID));
  is(uuids.size, 1, `first messages and joins of two people in parallel make one channel (${round})`);
  is(stored.join(), Array.from({ length: 20 }, (_, k) => k + 1).join(), 'all messages are in its one order');
  const late = await Promise.all(two.map((who, n) => post(url, 'channelJoin', { accessKey: who.accessKey, sessionUUID: who.sessionUUID, channelJoin: { recipientUUID: other(n), limit: 100 } })));
  ok(late.every((r) => uuids.has(r.channelJoin.channelUUID) && r.channelJoin.messages.length === 20), 'and both find all of them there');
}
await end(...responders, 'b1', 'b2');
