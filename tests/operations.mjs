// SPDX-License-Identifier: MIT
// channelMessages, channels, channelRead and users of a channel, each over a
// WebSocket and over HTTP; what a channelJoin gives of a large channel.
import { startRedis, startResponder, startBridge, startNginx, Client, ok, is, until, post, end, work } from './lib.mjs';
import { execFileSync } from 'node:child_process';

const limits = { PALAVER_MESSAGE_RATE: '0', PALAVER_HISTORY: '60', PALAVER_SIGN_IN_RATE: '0' };
await startRedis();
await startResponder('responder', limits);
await startBridge('bridge', limits);
const url = await startNginx(['responder'], ['bridge']);
const ws = `${url.replace('http', 'ws')}/ws`;
const redis = (...args) => execFileSync('redis-cli', ['-s', `${work}/redis.sock`, ...args], { encoding: 'utf8' }).trim();

/** A user with a WebSocket and a key; ask gives the answer over via. */
async function person(username) {
  const c = await Client.open(ws);
  const { authorized } = await c.ask({ type: 'signIn', signIn: { username, password: 'secret123' } }, 'authorized');
  let ids = 0;
  return Object.assign(c, {
    uuid: authorized.userUUID,
    key: authorized.accessKey,
    async over(via, type, payload = {}) {
      if (via === 'HTTP') return post(url, type, { accessKey: authorized.accessKey, id: 'h', [type]: payload });
      ids += 1;
      c.send({ type, id: `w${ids}`, [type]: payload });
      return until(`the answer to ${type}`, () => c.frames.find((f) => f.id === `w${ids}`));
    },
  });
}
const get = async (c, path) => (await fetch(`${url}/api/${path}`, { headers: { Authorization: `Bearer ${c.key}` } })).json();
const texts = (m) => m.messages.map((x) => x.Message).join(' ');

const ann = await person('ann');
const bob = await person('bob');
const eve = await person('eve');

for (const via of ['WebSocket', 'HTTP']) {
  const channel = `log-${via.toLowerCase()}`;
  is((await ann.over(via, 'channelMessages', { channel: 'none' })).error?.code, 7, `${via}: no messages of a channel that is none`);
  is((await ann.over(via, 'channelMessages')).channelMessages.messages.length, 0, `${via}: of an empty general none`);
  const sent = [];
  for (let n = 1; n <= 70; n += 1) sent.push((await ann.over('HTTP', 'channelMessage', { channel, message: `${n}` })).channelMessage);
  let page = (await ann.over(via, 'channelMessages', { channel })).channelMessages;
  is(page.messages.map((m) => m.seq).join(), sent.slice(-50).map((m) => m.seq).join(), `${via}: channelMessages gives the newest 50, oldest first`);
  ok(page.more && page.channel === channel && page.recipientUUID === '', `${via}: says that there are more, and of which channel`);
  is(JSON.stringify(page.messages.at(-1)), JSON.stringify(sent.at(-1)), `${via}: each as it was stored`);
  page = (await ann.over(via, 'channelMessages', { channel, before: page.messages[0].seq, limit: 5 })).channelMessages;
  is(texts(page), '16 17 18 19 20', `${via}: before a seq`);
  page = (await ann.over(via, 'channelMessages', { channel, before: 16 })).channelMessages;
  ok(page.messages[0].seq >= 1 && !page.more, `${via}: the last page says that nothing is left`);
  is((await ann.over(via, 'channelMessages', { channel, before: 71, limit: 1 })).channelMessages.messages[0].Message, '70', `${via}: before what is to come`);
  const joined = await bob.ask({ type: 'channelJoin', channelJoin: { channel, limit: 3 } });
  is(texts(joined.channelJoin), '68 69 70', `${via}: channelJoin gives the newest it is asked for`);
  ok(joined.channelJoin.more, 'and that there are more');
  is(texts((await bob.over(via, 'channelMessages', { channel, limit: 2, before: joined.channelJoin.cursor })).channelMessages), '68 69', `${via}: before a cursor`);
  is((await bob.over(via, 'channelMessages', { channel, before: 'g:x:1' })).error?.payload, 'before', `${via}: another channel's cursor is error 3`);

  // A private channel is what two people have; a third one has another.
  await ann.over(via, 'channelMessage', { recipientUUID: bob.uuid, message: `private ${via}` });
  is((await bob.over(via, 'channelMessages', { recipientUUID: ann.uuid })).channelMessages.messages.at(-1).Message, `private ${via}`, `${via}: both read their private channel`);
  is((await eve.over(via, 'channelMessages', { recipientUUID: ann.uuid })).channelMessages.messages.length, 0, `${via}: a third one does not`);
  is((await eve.over(via, 'channelMessages', { recipientUUID: ann.uuid, userUUID: bob.uuid, before: `p:${ann.uuid}:${bob.uuid}:1:9` })).error?.code, 3, `${via}: not even by naming it in a cursor`);
  is((await eve.over(via, 'channelMessages', { recipientUUID: '123e4567-e89b-12d3-a456-426614174000' })).error?.code, 7, `${via}: no such user`);
}
is(texts((await get(ann, `channelMessages?channel=log-http&limit=2&before=70`)).channelMessages), '68 69', 'channelMessages by GET');

// Conversations.
await ann.ask({ type: 'channelJoin' });
await bob.over('HTTP', 'channelMessage', { message: 'to all' });
let list = (await ann.over('WebSocket', 'channels')).channels;
is(list.total, 4, 'general, two named channels and a private one');
is(list.channels.map((c) => c.channel || c.User?.Username || 'general').join(), 'general,bob,log-http,log-websocket', 'newest first');
const [general, priv] = list.channels;
ok(general.seq === 1 && general.readSeq === 0 && !('User' in general) && general.recipientUUID === '', "general's row");
ok(priv.recipientUUID === bob.uuid && priv.seq === 2 && priv.User.UUID === bob.uuid && priv.User.OnLine === true, 'a private row has the other one');
const last = (await ann.over('WebSocket', 'channelMessages', { recipientUUID: bob.uuid, limit: 1 })).channelMessages.messages[0];
is(priv.lastAt, last.CreatedAt, 'lastAt is when the last message came');
is((await bob.over('HTTP', 'channels')).channels.channels.find((c) => c.User).User.UUID, ann.uuid, 'the other one has it too');
is((await eve.over('WebSocket', 'channels')).channels.total, 0, 'who said nothing and joined nothing has none');
is((await get(ann, 'channels?offset=1&limit=1')).channels.channels[0].recipientUUID, bob.uuid, 'channels by GET, a page');
await ann.ask({ type: 'channelJoin', channelJoin: { recipientUUID: ann.uuid } });
is((await ann.over('HTTP', 'channels')).channels.channels[0].User.UUID, ann.uuid, 'notes to self, once joined');
is((await eve.over('HTTP', 'channels', { limit: 201 })).error?.payload, 'limit', 'channels has a limit');

// Read up to.
const other = await Client.open(ws);
await other.ask({ type: 'signIn', signIn: { accessKey: ann.key } }, 'authorized');
const bobs = bob.frames.length;
is((await ann.over('WebSocket', 'channelRead', { recipientUUID: bob.uuid, seq: 1 })).channelRead.seq, 1, 'channelRead');
const event = await other.next('channelRead');
ok(event.channelRead.recipientUUID === bob.uuid && event.channelRead.seq === 1 && event.channelRead.channel === '' && event.cursor && !('id' in event), "is told to the user's other sessions");
is((await ann.over('HTTP', 'channelRead', { recipientUUID: bob.uuid, seq: 99 })).channelRead.seq, 2, 'never beyond what there is');
is((await other.next('channelRead')).channelRead.seq, 2, 'told over HTTP too');
is((await ann.next('channelRead')).channelRead.seq, 1, "the asker's own answer");
is((await ann.next('channelRead')).channelRead.seq, 2, "and, after another's, one event");
is((await ann.over('WebSocket', 'channelRead', { recipientUUID: bob.uuid, seq: 1 })).channelRead.seq, 2, 'never backwards');
is((await ann.over('WebSocket', 'channelRead', { seq: 1 })).channelRead.recipientUUID, '', 'of general');
await other.next('channelRead');
is(ann.frames.filter((f) => f.type === 'channelRead').length, 4, 'the asking session gets no event of its own');
is(other.frames.filter((f) => f.type === 'channelRead').length, 3, 'what changed nothing is told to nobody');
ok(!bob.frames.slice(bobs).some((f) => f.type === 'channelRead'), 'nor is anything to other people');
ok(!JSON.stringify(other.frames).includes(ann.frames[0].ready.sessionUUID), "and no session's UUID");
list = (await ann.over('HTTP', 'channels')).channels;
is(list.channels.find((c) => c.User?.Username === 'bob').readSeq, 2, 'channels knows what was read');
is((await ann.over('HTTP', 'channelRead', { channel: 'none', seq: 1 })).error?.code, 7, 'no such channel to read');

// Users of a channel.
for (const via of ['WebSocket', 'HTTP']) {
  const names = async (payload) => {
    const { users } = await ann.over(via, 'users', payload);
    return `${users.total}:${users.users.map((u) => u.Username).join()}`;
  };
  is(await names({}), '3:ann,bob,eve', `${via}: all users`);
  is(await names({ recipientUUID: '' }), '1:ann', `${via}: who is in general`);
  is(await names({ channel: 'log-http' }), '1:bob', `${via}: who is in a named channel`);
  is(await names({ recipientUUID: bob.uuid }), '2:ann,bob', `${via}: both people of a private channel`);
  is(await names({ recipientUUID: ann.uuid }), '1:ann', `${via}: oneself`);
  is(await names({ recipientUUID: bob.uuid, offset: 1, limit: 1 }), '2:bob', `${via}: a page of them`);
  is((await ann.over(via, 'users', { channel: 'none' })).error?.code, 7, `${via}: no such channel`);
}
is((await get(ann, 'users?recipientUUID=')).users.total, 1, 'users of general by GET');
eve.send({ type: 'signOut' });
await until('eve is off line', async () => (await get(ann, 'users?online=true')).users.total === 2);
is((await get(ann, `users?recipientUUID=${eve.uuid}&online=true`)).users.users.map((u) => u.Username).join(), 'ann', 'online leaves out who is not');
const abel = await person('abel');
await abel.ask({ type: 'signOut' });
const two = (await bob.ask({ type: 'channelJoin', channelJoin: { recipientUUID: abel.uuid } })).channelJoin.users;
is(two.map((u) => `${u.Username} ${u.OnLine}`).join(), 'bob true,abel false', "channelJoin's users are those on line first");
await bob.ask({ type: 'channelLeave', channelLeave: { channel: 'log-http' } });
is((await get(ann, 'users?channel=log-http')).users.total, 0, 'who left is in no more');

// More people than a channelJoin names: the rest comes by users, in one order.
const CROWD = 230;
for (let n = 0; n < CROWD; n += 1) {
  const who = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
  redis('EVAL', `redis.call('ZADD', 'palaver:{g}:by', 0, ARGV[1]) redis.call('HSET', 'palaver:{g}:in', ARGV[2], 1)`, '0', `user${String(n).padStart(3, '0')}\n${who}\nUser${n}`, who);
}
const crowd = (await ann.ask({ type: 'channelJoin', channelJoin: { limit: 0 } })).channelJoin;
is(crowd.total, CROWD + 1, 'channelJoin counts everybody');
is(crowd.users.length, 200, 'and names 200');
const rest = (await ann.over('HTTP', 'users', { recipientUUID: '', offset: 200 })).users;
is(new Set([...crowd.users, ...rest.users].map((u) => u.UUID)).size, CROWD + 1, 'users from 200 on gives all the others');

await end('responder', 'bridge');
