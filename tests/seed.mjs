// SPDX-License-Identifier: MIT
// The seed README's conversation over a WebSocket, as it documents it.
import { startRedis, startResponder, startBridge, startNginx, Client, ok, is, until, end } from './lib.mjs';

const EXAMPLE = '123e4567-e89b-12d3-a456-426614174000'; // the README's own UUID
await startRedis();
await startResponder('responder');
await startBridge('bridge');
const url = (await startNginx(['responder'], ['bridge'])).replace('http', 'ws') + '/ws';

const a = await Client.open(url);
const ready = await a.take();
is(ready.type, 'ready', 'ready comes first');
ok(/^[0-9a-f-]{36}$/.test(ready.ready.sessionUUID), 'with a sessionUUID');

a.send({ type: 'signIn', signIn: { username: 'Username', password: 'Password' } });
const authorized = (await a.take()).authorized;
ok(authorized?.userUUID && authorized?.accessKey, 'signIn is answered by authorized');
is(authorized.sessionUUID, ready.ready.sessionUUID, 'of this session');
const sys = await a.take();
is(sys.sys?.type, 'signIn', 'then comes the own sys signIn');
is(sys.sys.signIn.uuid, authorized.userUUID, 'with the uuid');
is(sys.sys.signIn.username, 'Username', 'and the username');
ok(!JSON.stringify(a.frames).includes('Password'), 'the password never comes back');

const b = await Client.open(url);
b.send({ type: 'signUp', signUp: { username: 'Other', password: 'Password' } });
const other = (await b.next('authorized')).authorized;
ok(other.userUUID !== authorized.userUUID && other.accessKey, 'signUp with a free name');
is((await a.next('sys')).sys.signIn.uuid, other.userUUID, 'all others get the sys signIn');
is((await b.ask({ type: 'signUp', signUp: { username: 'Username', password: 'Password' } }, 'error')).error.code, 6, 'signUp of a taken name');

const join = await a.ask({ userUUID: EXAMPLE, sessionUUID: EXAMPLE, type: 'channelJoin', channelJoin: { recipientUUID: '' } });
is(join.channelJoin.recipientUUID, '', "channelJoin of general; the envelope's own UUIDs do not matter");
is((await a.next('sys')).userUUID, authorized.userUUID, 'sys channelJoin comes after the reply, to the joiner too');
await b.ask({ type: 'channelJoin', channelJoin: {} });
is((await a.next('sys')).user.Username, 'Other', 'and tells of others');
is((await a.ask({ type: 'channelJoin', channelJoin: { recipientUUID: EXAMPLE } }, 'error')).error.code, 7, "the README's example user does not exist");

a.send({ type: 'channelMessage', channelMessage: { recipientUUID: '', message: 'hello' } });
const got = await b.next('channelMessage');
is(got.channelMessage.Message, 'hello', 'a message reaches the other');
is(got.channelMessage.Sender.Username, 'Username', 'with its sender');
ok(got.cursor, 'and a cursor');
await a.next('channelMessage');
is(a.frames.filter((f) => f.type === 'channelMessage').length, 1, 'the sender has it once');

const priv = await a.ask({ type: 'channelJoin', channelJoin: { recipientUUID: other.userUUID } });
is(priv.channelJoin.users.length, 2, 'a private channel has two people');
a.send({ type: 'channelMessage', id: 'm', channelMessage: { recipientUUID: other.userUUID, message: 'psst' } });
is((await a.next('channelMessage')).channelMessage.Message, 'psst', 'the sender sees it in the channel');
const notice = await b.next('sys');
is(notice.sys.type, 'channelMessage', 'who has not joined gets a notice');
const late = await b.ask({ type: 'channelJoin', channelJoin: { recipientUUID: authorized.userUUID } });
is(late.channelJoin.messages[0].Message, 'psst', 'and finds it when joining');
b.send({ type: 'channelMessage', channelMessage: { recipientUUID: authorized.userUUID, message: 'what?' } });
is((await a.next('channelMessage')).channelMessage.Message, 'what?', 'and answers');
ok(!a.frames.some((f) => f.sys?.type === 'channelMessage'), 'who has joined gets no notice');

const left = await b.ask({ type: 'channelLeave', channelLeave: { recipientUUID: '' } });
is(left.channelLeave.senderUUID, other.userUUID, 'channelLeave');
is((await a.next('channelLeave')).userUUID, other.userUUID, 'is told to those who are in it');
const users = await a.ask({ type: 'users' });
is(users.users.total, 2, 'users');
is(users.users.received, 2, 'all of them');

// What the seed's own web client does: three requests at once, with no or a
// stale userUUID.
const c = await Client.open(url);
await c.take();
c.send({ type: 'signIn', userUUID: '', signIn: { username: 'Third', password: 'Password' } });
c.send({ type: 'users', userUUID: EXAMPLE });
c.send({ type: 'channelJoin', userUUID: '', channelJoin: { recipientUUID: '' } });
await c.next('sys');
is((await c.take()).type, 'users', 'requests at once are answered in order');
is((await c.take()).type, 'channelJoin', 'all of them');

// Errors.
is((await c.ask({ type: 'nosuch', id: '9' }, 'error')).id, '9', 'the id comes back on an error');
const fault = c.frames.at(-1).error;
ok(fault.code === 2 && typeof fault.error === 'string' && fault.payload === '', 'the form of an error');
is((await c.ask('{', 'error')).error.code, 1, 'no JSON');
c.ws.send(Buffer.from('{}'), { binary: true });
is((await c.next('error')).error.code, 1, 'a binary frame');
is((await c.ask({ type: 'channelMessage' }, 'error')).error.payload, 'message', 'a missing field is named');

// signOut is atomic: nobody needs to wait.
b.send({ type: 'signOut' });
b.ws.close();
const out = await until('sys signOut', () => a.frames.find((f) => f.sys?.type === 'signOut'));
is(out.sys.signOut.uuid, other.userUUID, 'signOut without waiting');
const dead = await Client.open(url);
is((await dead.ask({ type: 'signIn', signIn: { accessKey: other.accessKey } }, 'error')).error.code, 4, 'its key is dead');
is((await dead.ask({ type: 'signIn', signIn: { accessKey: authorized.accessKey } }, 'authorized')).authorized.userUUID, authorized.userUUID, 'a living key signs in');
const foreign = await Client.open(url, { origin: 'http://evil.example' });
ok(/403/.test(foreign.error?.message), 'a foreign origin is refused');
const big = await Client.open(url);
big.send('x'.repeat(70000));
await until('the close', () => big.code);
is(big.code, 1009, 'a message beyond the limit closes with 1009');

await Promise.all([end('responder', 'bridge'), until('the close', () => a.code).then(() => is(a.code, 1012, 'SIGTERM closes with 1012'))]);
