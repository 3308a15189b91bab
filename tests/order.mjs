// SPDX-License-Identifier: MIT
// What is done for a WebSocket over HTTP and what it asks itself come to the
// bridge by two connections to Redis. Either is held up here, so that the bridge
// hears of the later one first; it makes them come true in Redis' order.
import { redisLater as cli, Client, ok, is, until, post, end, work } from './lib.mjs';
import { between, url, password, attached, http, say, got, inRedis, heard, live, marks, follows, rounds } from './lib-between.mjs';

const c = await attached();

// What the bridge asks for itself keeps its place, too: Redis does not have the
// script by which a session that was signed out is counted out, but the one behind.
const first = await attached();
const { accessKey } = (await post(url, 'signIn', { signIn: { username: first.name, password } })).authorized;
const known = await Client.open(`ws+unix://${work}/b1.sock:/ws`);
await known.ask({ type: 'signIn', signIn: { accessKey } }, 'authorized');
await heard();
between.hold('store');
await http('signOut', first);
await until('no script', () => between.holds('NOSCRIPT'));
first.send({ type: 'signIn', id: 'in', signIn: { accessKey } });
const pong = new Promise((resolve) => { first.ws.once('pong', resolve); });
first.ws.ping();
await pong; // it has been read
between.release();
await until('an answer', () => first.frames.some((f) => f.id === 'in' && f.type === 'authorized'));
await first.ask({ type: 'users', users: { limit: 0 } });
is(await cli('HGET', `palaver:{sys}:s:${first.uuid}`, 'u'), first.user, 'who signs in behind a signOut is counted, with a script that is new to Redis as well');

await rounds('1 true', 'channelLeave by HTTP, then channelJoin on the WebSocket', async (channel, drop) => {
  await c.ask({ type: 'channelJoin', channelJoin: { channel } });
  await heard();
  between.hold('feed');
  await http('channelLeave', c, channel);
  await c.ask({ type: 'channelJoin', channelJoin: { channel } });
  between.release(drop);
  return follows(c, channel);
});

await rounds('1 true', 'channelLeave on the WebSocket, then channelJoin by HTTP', async (channel) => {
  await c.ask({ type: 'channelJoin', channelJoin: { channel } });
  await heard();
  between.hold('store');
  c.send({ type: 'channelLeave', channelLeave: { channel }, id: channel });
  await until('the leave', async () => !await inRedis(c, channel));
  await http('channelJoin', c, channel);
  await heard();
  between.release();
  await until('the answer', () => c.frames.some((f) => f.id === channel));
  return follows(c, channel);
});

await rounds('0 false', 'channelJoin on the WebSocket, then channelLeave by HTTP', async (channel) => {
  between.hold('store');
  c.send({ type: 'channelJoin', channelJoin: { channel }, id: channel });
  await until('the join', () => inRedis(c, channel));
  await http('channelLeave', c, channel);
  await heard();
  between.release();
  await until('the answer', () => c.frames.some((f) => f.id === channel));
  return follows(c, channel);
});

await rounds('own 1, ack 1, 0 false', 'channelLeave by HTTP, then a message on the WebSocket', async (channel, drop) => {
  await c.ask({ type: 'channelJoin', channelJoin: { channel } });
  await heard();
  between.hold('feed');
  await http('channelLeave', c, channel);
  await c.ask({ type: 'channelMessage', id: channel, channelMessage: { channel, message: channel } }, 'ack');
  between.release(drop);
  const after = await follows(c, channel);
  return `own ${got(c, channel)}, ack ${c.frames.filter((f) => f.id === channel).length}, ${after}`;
});

await rounds('own 1, ack 1, 0 false', 'a message on the WebSocket, then channelLeave by HTTP', async (channel) => {
  await c.ask({ type: 'channelJoin', channelJoin: { channel } });
  await live(c, channel);
  between.hold('store');
  c.send({ type: 'channelMessage', id: channel, channelMessage: { channel, message: channel } });
  await until('the message', async () => (await cli('LLEN', `palaver:{c:${channel}}:l`)) === '2');
  await http('channelLeave', c, channel);
  await heard();
  between.release();
  await until('the ack', () => c.frames.some((f) => f.id === channel));
  const after = await follows(c, channel);
  return `own ${got(c, channel)}, ack ${c.frames.filter((f) => f.id === channel).length}, ${after}`;
});

await rounds('own 1, ack 1, 1 true', 'channelJoin by HTTP, then a message on the WebSocket', async (channel, drop) => {
  between.hold('feed');
  await http('channelJoin', c, channel);
  await c.ask({ type: 'channelMessage', id: channel, channelMessage: { channel, message: channel } }, 'ack');
  between.release(drop);
  const after = await follows(c, channel);
  return `own ${got(c, channel)}, ack ${c.frames.filter((f) => f.id === channel).length}, ${after}`;
});

await rounds('authorized, user, 1', 'signOut by HTTP, then signIn on the WebSocket', async (_, drop) => {
  await heard();
  between.hold('feed');
  await http('signOut', c);
  const { authorized } = await c.ask({ type: 'signIn', signIn: { username: c.name, password } }, 'authorized');
  c.key = authorized.accessKey;
  between.release(drop);
  await heard();
  c.send({ type: 'users', id: `users ${marks}`, users: { limit: 0 } });
  const answer = await until('an answer', () => c.frames.find((f) => f.id === `users ${marks}`));
  const counted = await cli('HMGET', 'palaver:{sys}:online', c.user);
  return `${answer.type === 'users' ? 'authorized' : 'out'}, ${await cli('HGET', `palaver:{sys}:s:${c.uuid}`, 'u') === c.user ? 'user' : 'nobody'}, ${counted}`;
});

await rounds('error 4 false', 'signOut by HTTP with another key, then channelJoin on the WebSocket', async (channel, drop) => {
  const d = await attached();
  const { accessKey } = (await post(url, 'signIn', { signIn: { username: d.name, password } })).authorized;
  await heard();
  between.hold('feed');
  await post(url, 'signOut', { sessionUUID: d.uuid, accessKey });
  d.send({ type: 'channelJoin', id: 'j', channelJoin: { channel } });
  const answer = await until('an answer', () => d.frames.find((f) => f.id === 'j'));
  between.release(drop);
  await heard();
  const there = await until('the bridge', async () => !await inRedis(d, channel)).then(() => false, () => true);
  d.ws.close();
  return `${answer.type} ${answer.error?.code} ${there}`;
});

// Another user's name on the same WebSocket.
await rounds('authorized', 'signOut by HTTP, then signIn as somebody else', async (channel, drop) => {
  const d = await attached();
  await heard();
  between.hold('feed');
  await http('signOut', d);
  await d.ask({ type: 'signIn', signIn: { username: `other${channel}`, password } }, 'authorized');
  between.release(drop);
  await heard();
  d.send({ type: 'channelJoin', id: 'j', channelJoin: { channel } });
  const answer = await until('an answer', () => d.frames.find((f) => f.id === 'j'));
  d.ws.close();
  return answer.type === 'channelJoin' ? 'authorized' : 'out';
});

// A new password by HTTP moves the WebSocket to a new key: what it asks before its
// bridge has heard of that runs in Redis with the old one, which is dead.
const moved = await attached();
moved.password = password;
/** Its key is another from now on, and its bridge has not heard of it. */
async function moveKey() {
  await heard();
  const newPassword = moved.password === password ? 'secret456' : password;
  between.hold('feed');
  const { authorized } = await post(url, 'password', { sessionUUID: moved.uuid, accessKey: moved.key, password: { password: moved.password, newPassword } });
  [moved.key, moved.password] = [authorized.accessKey, newPassword];
}
/** Asks it all at once; the answers, in the order in which they come. */
async function answers(...requests) {
  const from = moved.frames.length;
  requests.forEach((r, n) => moved.send({ ...r, id: `${n}` }));
  const own = () => moved.frames.slice(from).filter((f) => f.id);
  await until('the answers', () => moved.code || own().length === requests.length);
  return `${own().map((f) => f.id + (f.error ? ` error ${f.error.code}` : ` ${f.type}`)).join(', ')} ${moved.code || ''}`.trim();
}

await rounds('0 channelJoin, 1 users, 2 ack, 3 error 2, 4 channels, own 1', 'password by HTTP, then requests on the WebSocket', async (channel, drop) => {
  await moveKey();
  const came = await answers({ type: 'channelJoin', channelJoin: { channel } }, { type: 'users', users: { limit: 0 } },
    { type: 'channelMessage', channelMessage: { channel, message: channel } }, { type: 'none' }, { type: 'channels' });
  between.release(drop);
  if (came.includes('ack')) await until('the message', () => got(moved, channel));
  await heard();
  return `${came}, own ${got(moved, channel)}`;
});

await rounds('0 authorized, 1 users, 200', 'password by HTTP, then password on the WebSocket', async (_, drop) => {
  await moveKey();
  const newPassword = `secret${marks}`;
  const came = await answers({ type: 'password', password: { password: moved.password, newPassword } }, { type: 'users', users: { limit: 0 } });
  moved.password = newPassword;
  moved.key = moved.frames.findLast((f) => f.type === 'authorized').authorized.accessKey;
  between.release(drop);
  await heard();
  return `${came}, ${(await post(url, 'users', { accessKey: moved.key })).status}`;
});

await rounds('0 signOut, 1 authorized, 401', 'password by HTTP, then signOut on the WebSocket', async (_, drop) => {
  await moveKey();
  const came = await answers({ type: 'signOut' }, { type: 'signIn', signIn: { username: moved.name, password: moved.password } });
  const { status } = await post(url, 'users', { accessKey: moved.key });
  moved.key = moved.frames.findLast((f) => f.type === 'authorized').authorized.accessKey;
  between.release(drop);
  await heard();
  return `${came}, ${status}`;
});

await rounds('0 error 4', 'password by HTTP without the session, then a request on the WebSocket', async (channel, drop) => {
  const d = await attached();
  await heard();
  between.hold('feed');
  await post(url, 'password', { accessKey: d.key, password: { password, newPassword: 'secret456' } });
  d.send({ type: 'users', id: '0', users: { limit: 0 } });
  const answer = await until('an answer', () => d.frames.find((f) => f.id === '0'));
  between.release(drop);
  await until('4001', () => d.code === 4001);
  return `0 error ${answer.error?.code}`;
});

// While a log is read, its last messages are lost in Redis, which goes on with
// another epoch and a number that the read has seen already.
const reader = await attached();
await reader.ask({ type: 'channelJoin', channelJoin: { channel: 'epoch' } });
for (let n = 0; n < 5; n += 1) await say('epoch', `${n}`);
await until('all', () => got(reader, '4'));
const epoch = await cli('HGET', 'palaver:{c:epoch}:m', 'e');
between.hold('store');
await cli('PUBLISH', 'palaver:0:c:epoch', `${epoch} 1000 {}`); // a hole
await until('the read', () => between.holds(`\r\n${epoch}\r\n`));
await cli('LTRIM', 'palaver:{c:epoch}:l', '0', '2');
await cli('HSET', 'palaver:{c:epoch}:m', 's', '3', 'n', 'another');
is((await say('epoch', 'instead')).channelMessage?.seq, 4, 'another message has the number of one that was lost');
await heard();
between.release();
await until('4008', () => reader.code).catch(() => {});
is(reader.code, 4008, 'an epoch that is heard of while a log is read is not passed over');

// Redis goes away while an answer waits for what came before it.
await c.ask({ type: 'channelJoin', channelJoin: { channel: 'away' } });
await heard();
between.hold('feed');
between.last = new RegExp(c.name);
await http('channelLeave', c, 'away');
c.send({ type: 'channelJoin', id: 'away', channelJoin: { channel: 'away' } });
const late = await until('an answer', () => c.frames.find((f) => f.id === 'away'));
is(late.error?.code, 20, 'an answer that waits for Redis in vain is error 20');
between.release(true);
await until('Redis', async () => (await c.ask({ type: 'users', id: 'back' }, 'users')) !== null);
const again = await until('a join', async () => {
  const id = `again ${Date.now()}`;
  c.send({ type: 'channelJoin', id, channelJoin: { channel: 'away' } });
  const f = await until('an answer', () => c.frames.find((one) => one.id === id));
  return f.type === 'channelJoin';
});
ok(again, 'and all works when it is back');
is(await follows(c, 'away'), '1 true', 'in order');
// Commands that come while their log is read, for an answer that came before them,
// come true before what is said behind them.
const other = await attached();
await rounds('0 1 1 true', 'channelLeave and channelJoin by HTTP, then a message, while commands are read for another session', async (channel) => {
  await other.ask({ type: 'channelJoin', channelJoin: { channel } });
  await live(other, channel);
  between.hold('feed');
  await http('channelLeave', other, channel);
  await http('channelJoin', other, channel);
  await say(channel, channel);
  between.last = new RegExp(c.name);
  c.send({ type: 'channelJoin', id: channel, channelJoin: { channel } });
  await until('the read', () => between.holds(other.uuid, 'store'));
  between.letGo('feed');
  await heard();
  const early = got(other, channel);
  between.release();
  await until('the answer', () => c.frames.some((f) => f.id === channel));
  const came = await follows(other, channel);
  return `${early} ${got(other, channel)} ${came}`;
});

// A signOut that waits behind a sign-in of which the answer is kept ends the key
// of that one, though the connection ends before.
const [before, behind] = [await attached(), await attached()];
between.hold('feed');
await http('channelLeave', before, 'mark');
between.last = new RegExp(behind.user);
before.send({ type: 'signIn', signIn: { accessKey: behind.key } });
before.send({ type: 'signOut' });
await until('the answer, and the read for which it is kept', () => between.holds(before.uuid, 'store'));
before.ws.terminate();
const lives = async (key) => (await post(url, 'users', { accessKey: key, users: { limit: 1 } })).status === 200;
await until('the end of a key', async () => !await lives(behind.key) || !await lives(before.key));
between.release();
is(`${await lives(before.key)} ${await lives(behind.key)}`, 'true false', 'a signOut behind a sign-in whose answer is kept ends the key of that one');

await end('b1', 'responder');
