// SPDX-License-Identifier: MIT
// password: a new one, a new key, and every other key is dead. And signIn on a
// connection that is signed in already: the user is replaced.
import { startTwoBridges, Client, ok, is, until, post, end } from './lib.mjs';

const OLD = 'Old-Horse-1';
const NEW = 'New-Horse-2';
const env = { PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '5/300', PALAVER_PRESENCE_GRACE: '500' };
const { url, bridge } = await startTwoBridges(env);

async function open(n, username, password = OLD) {
  const c = await Client.open(bridge(n));
  const { authorized } = await c.ask({ type: 'signIn', signIn: { username, password } }, 'authorized');
  return Object.assign(c, { key: authorized.accessKey, user: authorized.userUUID, session: authorized.sessionUUID });
}
const signIn = (username, password, more = {}) => post(url, 'signIn', { ...more, signIn: { username, password } });
const change = (accessKey, password, newPassword, more = {}) => post(url, 'password', { accessKey, ...more, password: { password, newPassword } });
const dead = async (accessKey) => (await post(url, 'users', { accessKey })).error?.code === 4;
const closed = (...clients) => until('4001', () => clients.every((c) => c.code === 4001));
const lives = async (c) => (await c.ask({ type: 'users' })).type === 'users' && c.code === 0;

// On a WebSocket.
const ann = await open(1, 'ann');
const others = [await open(1, 'ann'), await open(2, 'ann')];
const watcher = await open(2, 'watcher');
await watcher.ask({ type: 'channelJoin' });
await ann.ask({ type: 'channelJoin' });
const before = ann.frames.length;
let at = Date.now();
const { authorized, id } = await ann.ask({ type: 'password', id: '7', password: { password: OLD, newPassword: NEW } }, 'authorized');
is(id, '7', 'password is answered by authorized');
ok(authorized.accessKey && authorized.accessKey !== ann.key, 'with a new key');
is(authorized.sessionUUID, ann.session, 'in the same session');
is(authorized.userUUID, ann.user, 'of the same user');
is(authorized.created, false, 'who is not new');
await closed(...others);
ok(Date.now() - at < 1000, `the sessions with other keys are closed with 4001 after ${Date.now() - at} ms`);
ok(await lives(ann), 'the one that changed it lives');
await watcher.ask({ type: 'channelMessage', channelMessage: { message: 'still there?' } });
is((await ann.next('channelMessage')).channelMessage.Message, 'still there?', 'and is in its channels still');
ok(!ann.frames.slice(before).some((f) => f.sys), 'nobody is told that anybody came');
ok(await dead(ann.key) && await dead(others[1].key), 'the old keys are dead');
is(await dead(authorized.accessKey), false, 'the new one lives');
is((await signIn('ann', OLD)).error.code, 5, 'the old password is wrong now');
is((await signIn('ann', NEW)).status, 200, 'the new one is right');
is((await post(url, 'signOut', { accessKey: authorized.accessKey })).status, 200, 'the new key dies');
await closed(ann);
ok(true, 'and takes the session along that it was given to');

// Over HTTP.
const bob = await open(1, 'bob');
const plain = (await signIn('bob', OLD)).authorized;
const changed = await change(plain.accessKey, OLD, NEW);
is(changed.status, 200, 'password over HTTP');
is(changed.authorized.sessionUUID, '', 'names no session when none was named');
await closed(bob);
ok(await dead(plain.accessKey) && !await dead(changed.authorized.accessKey), 'all sessions are closed, all keys but the new one dead');
const cid = await Client.open(bridge(2));
const session = (await cid.next('ready')).ready.sessionUUID;
const attached = (await signIn('cid', OLD, { sessionUUID: session })).authorized;
await cid.next('authorized');
const moved = await change(attached.accessKey, OLD, NEW, { sessionUUID: session });
is(moved.authorized.sessionUUID, session, 'with the session of an attached WebSocket');
ok(await lives(cid), 'that one lives');
is((await change(moved.authorized.accessKey, NEW, OLD)).status, 200, 'once more, without it');
await closed(cid);
ok(true, 'and it is closed: it had moved to the new key');

// What goes wrong.
const dora = await open(1, 'dora');
const keep = { type: 'password', password: { password: 'Wrong-Horse-3', newPassword: NEW } };
is((await dora.ask(keep, 'error')).error.code, 5, 'a wrong password is error 5');
ok(await lives(dora) && !await dead(dora.key), 'and changes nothing');
for (const [field, payload] of [['password', {}], ['password', { password: 'short', newPassword: NEW }], ['newPassword', { password: OLD }],
  ['newPassword', { password: OLD, newPassword: 'short' }], ['newPassword', { password: OLD, newPassword: 'x'.repeat(1025) }], ['newPassword', { password: OLD, newPassword: 7 }]]) {
  const { error } = await dora.ask({ type: 'password', password: payload }, 'error');
  ok(error.code === 3 && error.payload === field, `${JSON.stringify(payload).slice(0, 50)} is error 3`, JSON.stringify(error));
}
is((await change('', OLD, NEW)).error.code, 4, 'without a key it is error 4');
is((await change(moved.authorized.accessKey, OLD, NEW)).error.code, 4, 'with a dead one as well');
is((await change(dora.key, OLD, NEW, { sessionUUID: watcher.session })).error.code, 10, "with another's session error 10");
for (let n = 0; n < 4; n += 1) await dora.ask(keep, 'error');
const slow = await dora.ask({ type: 'password', password: { password: OLD, newPassword: NEW } }, 'error');
is(slow.error.code, 9, 'wrong ones are counted: error 9');
ok(Number(slow.error.payload) > 0, 'with the seconds to wait');
const wrongs = await open(2, 'emma');
for (let n = 0; n < 5; n += 1) await signIn('emma', 'Wrong-Horse-3');
is((await change(wrongs.key, OLD, NEW)).error.code, 9, 'together with wrong sign-ins');

// Two at once: one wins.
const fred = [await open(1, 'fred'), await open(2, 'fred')];
for (const c of fred) c.send({ type: 'password', id: 'p', password: { password: OLD, newPassword: NEW } });
await until('both', () => fred.every((c) => c.code || c.frames.some((f) => f.id === 'p')));
const won = fred.filter((c) => c.frames.some((f) => f.id === 'p' && f.authorized));
is(won.length, 1, 'of two changes at once one wins');
await closed(...fred.filter((c) => c !== won[0]));
ok(await lives(won[0]), 'the other session is closed');

// signIn on a signed-in connection replaces the user.
const gwen = await open(1, 'gwen');
await gwen.ask({ type: 'channelJoin' });
await until('gwen in the channel', () => watcher.frames.find((f) => f.sys?.channelJoin && f.userUUID === gwen.user));
const hugo = (await gwen.ask({ type: 'signIn', signIn: { username: 'hugo', password: OLD } }, 'authorized')).authorized;
is((await gwen.next('sys')).sys.signIn.username, 'hugo', 'a second signIn replaces the user');
await until('hugo', () => watcher.frames.find((f) => f.sys?.signIn?.uuid === hugo.userUUID));
ok(await until('her leave', () => watcher.frames.find((f) => f.type === 'channelLeave' && f.userUUID === gwen.user)), 'she leaves the channel, as when her connection had ended');
ok(await until('sys signOut', () => watcher.frames.find((f) => f.sys?.signOut?.uuid === gwen.user)), 'and goes off line');
const online = (await watcher.ask({ type: 'users', users: { online: true } })).users.users.map((u) => u.Username);
ok(online.includes('hugo') && !online.includes('gwen'), 'as users says', online.join());
is((await post(url, 'users', { accessKey: gwen.key })).status, 200, 'her key lives');
const mark = gwen.frames.length;
await watcher.ask({ type: 'channelMessage', channelMessage: { message: 'for those in it' } });
await watcher.ask({ type: 'channelMessage', id: 'g', channelMessage: { message: 'for gwen', recipientUUID: gwen.user } }, 'ack');
await watcher.ask({ type: 'channelMessage', id: 'h', channelMessage: { message: 'for hugo', recipientUUID: hugo.userUUID } }, 'ack');
await until('the notice', () => gwen.frames.find((f) => f.sys?.channelMessage?.RecipientUUID === hugo.userUUID));
ok(!gwen.frames.slice(mark).some((f) => f.type === 'channelMessage' || f.sys?.channelMessage?.RecipientUUID === gwen.user), 'the connection hears nothing more of what was hers');
is((await gwen.ask({ type: 'signIn', signIn: { username: 'hugo', password: 'Wrong-Horse-3' } }, 'error')).error.code, 5, 'a failed signIn');
ok(await lives(gwen), 'leaves it as it was');
const again = (await gwen.ask({ type: 'signIn', signIn: { username: 'hugo', password: OLD } }, 'authorized')).authorized;
ok(again.accessKey !== hugo.accessKey && await lives(gwen), 'the same user once more');
ok((await watcher.ask({ type: 'users', users: { online: true } })).users.users.some((u) => u.Username === 'hugo'), 'is on line still');
gwen.send({ type: 'signOut' });
ok(await until('sys signOut', () => watcher.frames.find((f) => f.sys?.signOut?.uuid === hugo.userUUID)), 'and counted once');
const all = [ann, ...others, watcher, bob, cid, dora, ...fred, gwen].flatMap((c) => c.frames).map((f) => JSON.stringify(f)).join();
ok(![OLD, NEW, 'Wrong-Horse-3'].some((p) => all.includes(p)), 'no frame holds a password');
await end('responder', 'b1', 'b2');
