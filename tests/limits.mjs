// SPDX-License-Identifier: MIT
// The bounds that are settings: each at what it was set to, over HTTP and on a
// WebSocket; and the largest replies that they allow. What they are unless they
// are set is in contract.mjs.
import { startRedis, startResponder, startBridge, startNginx, redis, signal, stop, Client, ok, is, until, post, end, work } from './lib.mjs';

const open = { PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_HISTORY_BYTES: '67108864' };
const tight = {
  ...open, PALAVER_NAME_LENGTH: '5', PALAVER_PASSWORD_LEAST: '12', PALAVER_PASSWORD_MOST: '256', PALAVER_MESSAGE_LENGTH: '6', PALAVER_MESSAGE_BYTES: '10',
  PALAVER_USERS_PAGE: '2', PALAVER_USERS_MOST: '1001', PALAVER_JOIN_MESSAGES: '3', PALAVER_MESSAGES_PAGE: '4', PALAVER_MESSAGES_MOST: '101', PALAVER_POLL_WAIT: '1', PALAVER_POLL_WAIT_MOST: '2',
};
const wide = {
  ...open, PALAVER_NAME_LENGTH: '128', PALAVER_PASSWORD_MOST: '4096', PALAVER_MESSAGE_LENGTH: '32768', PALAVER_MESSAGE_BYTES: '32768', PALAVER_USERS_PAGE: '1000', PALAVER_USERS_MOST: '5000',
  PALAVER_JOIN_MESSAGES: '100', PALAVER_MESSAGES_PAGE: '100', PALAVER_MESSAGES_MOST: '200', PALAVER_POLL_WAIT: '0', PALAVER_POLL_WAIT_MOST: '600',
};
const long = (n, c = 'x') => c.repeat(n);
await startRedis();
await startResponder('old', open);
const old = await startNginx(['old'], ['none'], 'before');
const PASSWORD = long(8);
const [ann] = await Promise.all(['ann', 'bob', 'cid'].map(async (username) => (await post(old, 'signUp', { signUp: { username, password: PASSWORD } })).authorized));

/** Whether each request is what it should be over both: good, or error 3 for the field wanted. */
async function check(env, name, rows) {
  await startResponder(`${name}-r`, env);
  await startBridge(`${name}-b`, env);
  const url = await startNginx([`${name}-r`], [`${name}-b`], name);
  const connect = () => Client.open(`ws+unix://${work}/${name}-b.sock:/ws`);
  const c = await connect();
  await c.ask({ type: 'signIn', signIn: { accessKey: ann.accessKey } }, 'authorized');
  for (const [id, [type, payload, wanted = '']] of rows.entries()) {
    const over = { HTTP: await post(url, type, { accessKey: ann.accessKey, sessionUUID: type.startsWith('sign') ? '' : ann.sessionUUID, [type]: payload }) };
    if (type !== 'events') {
      const asks = type.startsWith('sign') ? await connect() : c;
      // A name that was free over HTTP is taken by now.
      const sent = type === 'signUp' && !wanted ? { ...payload, username: payload.username.replace(/.$/, '2') } : payload;
      asks.send({ type, id: `q${id}`, [type]: sent });
      over.WebSocket = await until(`${type} ${wanted}`, () => asks.frames.find((f) => f.id === `q${id}`));
      if (asks !== c) asks.ws.close();
    }
    for (const [way, reply] of Object.entries(over)) {
      is(reply.error ? `${reply.error.code} ${reply.error.payload}` : '', wanted && `3 ${wanted}`, `${name}, ${way}: ${type} ${JSON.stringify(payload).slice(0, 50)} is ${wanted ? 'error 3' : 'good'}`);
    }
  }
  return { url, c };
}

const { url, c } = await check(tight, 'tight', [
  ['signUp', { username: long(5), password: long(12) }], ['signUp', { username: long(6), password: long(12) }, 'username'],
  ['signUp', { username: 'short', password: long(11) }, 'password'], ['signIn', { username: 'new', password: long(11) }, 'password'],
  ['signIn', { username: 'ann', password: PASSWORD }], ['signIn', { username: 'ann', password: long(7) }, 'password'],
  ['signUp', { username: 'most', password: long(256) }], ['signUp', { username: 'more', password: long(257) }, 'password'],
  ['password', { password: PASSWORD, newPassword: long(11) }, 'newPassword'],
  ['channelMessage', { message: long(6) }], ['channelMessage', { message: long(7) }, 'message'],
  ['channelMessage', { message: long(5, 'é') }], ['channelMessage', { message: `${long(5, 'é')}x` }, 'message'],
  ['users', { limit: 1001 }], ['users', { limit: 1002 }, 'limit'], ['channelJoin', { limit: 101 }], ['channelJoin', { limit: 102 }, 'limit'],
  ['channelMessages', { limit: 101 }], ['channelMessages', { limit: 102 }, 'limit'], ['events', { wait: 3 }, 'wait'], ['events', { wait: 0 }],
]);
c.skip();
is((await c.ask({ type: 'users' })).users.received, 2, 'users_page');
for (let n = 0; n < 6; n += 1) await post(url, 'channelMessage', { accessKey: ann.accessKey, channelMessage: { message: String(n) } });
is((await c.ask({ type: 'channelJoin' })).channelJoin.messages.length, 3, 'join_messages');
is((await c.ask({ type: 'channelMessages' })).channelMessages.messages.length, 4, 'messages_page');
const poll = async (at, payload) => (await post(at, 'events', { accessKey: ann.accessKey, sessionUUID: ann.sessionUUID, events: payload })).events;
let { cursor } = await poll(url, { wait: 0 });
const began = Date.now();
({ cursor } = await poll(url, { since: cursor }));
ok(Date.now() - began > 900 && Date.now() - began < 5000, `poll_wait: ${Date.now() - began} ms`);
c.ws.close();
await stop('tight');
for (const name of ['tight-r', 'tight-b']) is(await stop(name), 0, `${name} ends well`);

const more = await check(wide, 'wide', [
  ['signUp', { username: long(128, 'ö'), password: long(4096) }], ['signUp', { username: long(129), password: long(12) }, 'username'], ['signUp', { username: 'more', password: long(4097) }, 'password'],
  ['channelMessage', { message: long(32768) }], ['channelMessage', { message: long(32769) }, 'message'], ['channelMessage', { message: long(16384, 'é') }],
  ['users', { limit: 5000 }], ['users', { limit: 5001 }, 'limit'], ['channelMessages', { limit: 200 }], ['channelMessages', { limit: 201 }, 'limit'], ['events', { wait: 601 }, 'wait'],
]);

// Nearly the largest message that a body of 64 KiB holds in JSON, in the largest replies and reads of a log.
const LARGEST = long(32500, '"');
await more.c.ask({ type: 'channelJoin', channelJoin: { channel: 'large' } });
await post(more.url, 'channelJoin', { accessKey: ann.accessKey, sessionUUID: ann.sessionUUID, channelJoin: { channel: 'large' } });
({ cursor } = await poll(more.url, { since: cursor, wait: 0 }));
const send = (n) => post(more.url, 'channelMessage', { accessKey: ann.accessKey, channelMessage: { channel: 'large', message: `${LARGEST}${String(n).padStart(6, '0')}` } });
// The bridge hears of none of them and reads its log.
signal('wide-b', 'SIGSTOP');
redis('CLIENT', 'KILL', 'TYPE', 'pubsub');
for (let n = 0; n < 200; n += 10) await Promise.all(Array.from({ length: 10 }, (_, i) => send(n + i)));
const all = (messages) => messages.length === 200 && messages.every((m, i) => m.seq === i + 1 && m.Message.startsWith(LARGEST));
signal('wide-b', 'SIGCONT');
ok(all((await post(more.url, 'channelMessages', { accessKey: ann.accessKey, channelMessages: { channel: 'large', limit: 200 } })).channelMessages.messages), '200 messages of nearly 32 KiB, twice that in JSON, in one reply');
const got = [];
for (let left = true; left;) {
  const events = await poll(more.url, { since: cursor, wait: 0 });
  got.push(...events.frames.filter((f) => f.channelMessage?.channel === 'large').map((f) => f.channelMessage));
  ({ cursor } = events);
  left = events.more;
}
ok(all(got), 'as events');
// Which is more than the bridge keeps: it may say so, and goes on.
const heard = () => more.c.frames.filter((f) => f.channelMessage?.channel === 'large').map((f) => f.channelMessage);
await until('all of them on the WebSocket, or 4008', () => more.c.code || heard().length === 200);
ok(more.c.code === 4008 || all(heard()), 'and on the WebSocket, from the log, or it is closed with 4008');
const last = await Client.open(`ws+unix://${work}/wide-b.sock:/ws`);
await last.ask({ type: 'signIn', signIn: { accessKey: ann.accessKey } }, 'authorized');
await last.ask({ type: 'channelJoin', channelJoin: { channel: 'large', limit: 0 } });
await send(200);
is((await last.next('channelMessage')).channelMessage.seq, 201, 'the bridge goes on');
last.ws.close();
more.c.ws.close();
await end('old', 'wide-r', 'wide-b');
