// SPDX-License-Identifier: MIT
// What common/PROTOCOL.md says in sentences and not in examples: messages,
// who acts, order, bounds, channels and their notices. HTTP's own rules are in
// http.mjs.
import { startRedis, startResponder, startBridge, startNginx, post, Client, ok, is, until, end } from './lib.mjs';

const env = { PALAVER_PRESENCE_GRACE: '300', PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_NOTICE_RATE: '0' };
const NOBODY = '123e4567-e89b-12d3-a456-426614174000';
const PASSWORD = 'pass-word-of-all';
await startRedis();
await startResponder('responder', env);
await startBridge('bridge', env);
const url = await startNginx(['responder'], ['bridge']);
const ws = `${url.replace('http', 'ws')}/ws`;
const everybody = [];

const same = (got, wanted, what) => is(JSON.stringify(got), JSON.stringify(wanted), what);
async function open() {
  const c = await Client.open(ws);
  everybody.push(c);
  c.session = c.frames[0].ready.sessionUUID;
  return c;
}
async function signed(name) {
  const c = await open();
  const reply = await c.ask({ type: 'signIn', signIn: { username: name, password: PASSWORD } }, 'authorized');
  Object.assign(c, { uuid: reply.authorized.userUUID, key: reply.authorized.accessKey });
  await c.next('sys');
  return c;
}
/** What c got since it was last asked, up to a sign of ours that comes the way
 * that all events come. */
let signs = 0;
async function since(c) {
  const name = `sign${signs += 1}`;
  await post(url, 'signUp', { signUp: { username: name, password: PASSWORD } });
  const sign = (f) => f.sys?.signIn?.username === name;
  await until(name, () => c.frames.slice(c.seen ?? 0).some(sign));
  const got = c.frames.slice(c.seen ?? 0).filter((f) => !sign(f));
  c.seen = c.frames.length;
  c.skip();
  return got.filter((f) => !f.sys?.signIn?.username?.startsWith('sign'));
}
const names = (frames) => frames.map((f) => (f.sys ? `sys ${f.sys.type}` : f.type)).join(' ');
const message = (text, more) => ({ type: 'channelMessage', channelMessage: { message: text, ...more } });
const join = (channel) => ({ type: 'channelJoin', channelJoin: channel });

const ann = await signed('ann');
const bob = await signed('bob');

// ---- the envelope ----

for (const [what, id] of [['64 bytes', 'x'.repeat(64)], ['nothing', ''], ['64 bytes of UTF-8', 'é'.repeat(32)], ['quotes', '"\\\n\u2028']]) {
  is((await ann.ask({ type: 'users', id, users: { limit: 0 } })).id, id, `an id of ${what} comes back`);
}
for (const [what, id] of [['65 bytes', 'x'.repeat(65)], ['a number', 7], ['a list', ['7']]]) {
  const e = await ann.ask({ type: 'users', id }, 'error');
  ok(e.error.code === 1 && !('id' in e), `an id of ${what} is error 1, and does not come back`);
}
is((await ann.ask({ type: 'users', id: null, users: { limit: 0 } })).type, 'users', 'an id of null is none');

for (const payload of [undefined, null, '', [], {}]) {
  is((await ann.ask({ type: 'users', users: payload })).users.received, 2, `a payload of ${JSON.stringify(payload)} is empty`);
}
for (const payload of [0, 7, true, false, 'x', [1], 1.5]) {
  const { error } = await ann.ask({ type: 'users', users: payload }, 'error');
  same([error.code, error.payload], [3, 'users'], `a payload of ${JSON.stringify(payload)} is error 3`);
}
is((await ann.ask({ type: 'nosuch', nosuch: 7 }, 'error')).error.code, 2, 'an unknown type comes before its payload');
for (const text of ['', '[]', '7', '"users"', 'null', '{"type":7}', '{}', '{"type":"users"', '{"type":"users"} {}', '{"type":"users","users":{"limit":01}}']) {
  is((await ann.ask(text, 'error')).error.code, 1, `${text || 'nothing'} is error 1`);
}
is((await ann.ask({ type: 'users', more: { a: [1] }, users: { limit: 1, sort: 'x', and: {} } })).users.received, 1, 'what is unknown is ignored');
is((await ann.ask('{"type":"users","users":{"limit":0,"limit":1}}', 'users')).users.received, 1, 'of two properties the last counts');
is((await ann.ask({ type: 'users', users: { limit: null, offset: null, online: null } })).users.received, 2, 'null is missing');
is((await ann.ask(`{"type":"users",${' '.repeat(65536 - 16)}}`.replace(',', ''), 'users')).type, 'users', 'a frame of 65536 bytes is answered');
for (const deep of [14, 15]) {
  const text = `{"type":"users","users":{"x":${'['.repeat(deep)}${']'.repeat(deep)}}}`;
  is((await ann.ask(text, deep === 14 ? 'users' : 'error')).type, deep === 14 ? 'users' : 'error', `nested ${deep + 2} deep`);
}
ann.ws.send(Buffer.from('{"type":"users"}'), { binary: true });
same((await ann.next('error')).error.payload, 'binary', 'a binary frame is error 1');

// ---- who acts on a WebSocket ----

const liars = [
  ['no userUUID', {}], ['an empty one', { userUUID: '' }], ["another's", { userUUID: bob.uuid }], ["nobody's", { userUUID: NOBODY }],
  ['a number', { userUUID: 7 }], ["another's session", { sessionUUID: bob.session }], ['an empty session', { SUUID: '' }],
  ['a session that is none', { sessionUUID: 'x' }], ["another's key", { accessKey: bob.key }], ['the same by its other name', { userAccessKey: bob.key }],
  ['a key that is none', { accessKey: 'x' }], ['a key of another kind', { accessKey: 7, sessionUUID: [] }],
];
for (const [what, fields] of liars) {
  const got = await ann.ask({ ...message(what), ...fields });
  same([got.channelMessage?.SenderUUID, got.channelMessage?.Message], [ann.uuid, what], `with ${what} the connection's user acts`);
}
const nobody = await open();
is((await nobody.ask({ type: 'users', accessKey: ann.key, userUUID: ann.uuid }, 'error')).error.code, 4, 'a key in a message does not sign a WebSocket in');
for (const type of ['users', 'signOut', 'channelJoin', 'channelLeave', 'channelMessage']) {
  is((await nobody.ask({ type, [type]: { message: 'x' } }, 'error')).error.code, 4, `${type} needs somebody signed in`);
  is((await post(url, type, { [type]: { message: 'x' } })).status, 401, 'over HTTP as well');
}
for (const [what, payload] of [['as it is', { accessKey: ann.key }], ['with a name beside it', { accessKey: ann.key, username: 'bob' }]]) {
  is((await nobody.ask({ type: 'signIn', signIn: payload }, 'authorized')).authorized.userUUID, ann.uuid, `a key in the payload of signIn does, ${what}`);
}
nobody.ws.close();

// ---- UUIDs ----

await since(ann);
await since(bob);
const upper = await ann.ask(join({ recipientUUID: bob.uuid.toUpperCase() }));
is(upper.channelJoin.recipientUUID, bob.uuid, 'a UUID may be in upper case, and comes back in lower');
is((await ann.ask(join({ recipientUUID: bob.uuid }))).channelJoin.channelUUID, upper.channelJoin.channelUUID, 'it is the same channel');
is((await ann.ask({ type: 'channelLeave', channelLeave: { recipientUUID: bob.uuid } })).type, 'channelLeave', 'and is left');
const versions = ['00000000-0000-0000-0000-000000000000', '6ba7b810-9dad-11d1-80b4-00c04fd430c8', '0189c9a2-7b6c-7def-8abc-0123456789ab', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'];
for (const UUID of versions) {
  is((await ann.ask(message(UUID, { UUID }))).channelMessage.UUID, UUID.toLowerCase(), `a message may be ${UUID}`);
}
for (const UUID of ['x', `{${NOBODY}}`, `urn:uuid:${NOBODY}`, NOBODY.replaceAll('-', ''), `${NOBODY}0`, NOBODY.slice(1), NOBODY.replace('1', 'g'), 7, [], {}, true]) {
  const { error } = await ann.ask(message('x', { UUID }), 'error');
  same([error.code, error.payload], [3, 'UUID'], `and not ${JSON.stringify(UUID)}`);
}

// ---- requests are answered in the order sent ----

const mixed = [];
for (let i = 0; i < 100; i += 1) {
  mixed.push([
    { type: 'users', users: { limit: 1 } },
    { type: 'signIn', signIn: { username: 'ann', password: PASSWORD } },
    message(`m${i}`, { channel: 'order' }),
    { type: 'nosuch' },
    { type: 'signIn', signIn: { username: 'ann', password: 'not the password' } },
    join({ channel: i % 2 ? 'order' : '' }),
    { type: 'channelLeave', channelLeave: {} },
  ][i % 7]);
}
await since(ann);
const from = ann.frames.length;
mixed.forEach((m, i) => ann.send({ ...m, id: `o${i}` }));
await until('100 replies', () => ann.frames.slice(from).filter((f) => f.id?.startsWith('o')).length === 100);
const replies = ann.frames.slice(from).filter((f) => f.id);
same(replies.map((f) => f.id), mixed.map((_, i) => `o${i}`), '100 mixed requests at once are answered in their order, each once');
same(replies.slice(0, 7).map((f) => f.type), ['users', 'authorized', 'ack', 'error', 'error', 'channelJoin', 'channelLeave'], 'by what they ask for');
ok(ann.frames.slice(from).filter((f) => f.type === 'channelMessage').length === 14, 'each message of them came once');
ann.skip();
ann.key = replies.findLast((f) => f.authorized).authorized.accessKey;

// ---- bounds, the same over both ----

const long = (n, c = 'x') => c.repeat(n);
const bounds = [
  ['signUp', { username: '', password: PASSWORD }, 'username'], ['signUp', { password: PASSWORD }, 'username'],
  ['signUp', { username: long(65), password: PASSWORD }, 'username'], ['signUp', { username: 7, password: PASSWORD }, 'username'],
  ['signUp', { username: ' x', password: PASSWORD }, 'username'], ['signUp', { username: 'x ', password: PASSWORD }, 'username'],
  ['signUp', { username: 'x  y', password: PASSWORD }, 'username'], ['signUp', { username: 'x\u200by', password: PASSWORD }, 'username'],
  ['signUp', { username: 'x\u202ey', password: PASSWORD }, 'username'], ['signUp', { username: 'x\ny', password: PASSWORD }, 'username'],
  ['signUp', { username: 'x\u00ady', password: PASSWORD }, 'username'], ['signUp', { username: 'x\u00a0y', password: PASSWORD }, 'username'],
  ['signUp', { username: 'new', password: long(7) }, 'password'], ['signUp', { username: 'new', password: long(1025) }, 'password'],
  ['signUp', { username: 'new' }, 'password'], ['signUp', { username: 'new', password: [] }, 'password'],
  ['signIn', { username: 'new' }, 'password'], ['signIn', { accessKey: 7 }, 'accessKey'], ['signIn', { username: '' }, 'username'],
  ['users', { limit: 1001 }, 'limit'], ['users', { limit: -1 }, 'limit'], ['users', { limit: 'x' }, 'limit'], ['users', { limit: 1.5 }, 'limit'],
  ['users', { offset: -1 }, 'offset'], ['users', { offset: 1e30 }, 'offset'], ['users', { online: 'maybe' }, 'online'], ['users', { online: 7 }, 'online'],
  ['channelJoin', { recipientUUID: 'x' }, 'recipientUUID'], ['channelJoin', { recipientUUID: 7 }, 'recipientUUID'],
  ['channelJoin', { channel: 'Upper' }, 'channel'], ['channelJoin', { channel: '.x' }, 'channel'], ['channelJoin', { channel: long(65) }, 'channel'],
  ['channelJoin', { channel: 7 }, 'channel'], ['channelJoin', { channel: 'x', recipientUUID: bob.uuid }, 'channel'],
  ['channelJoin', { limit: 101 }, 'limit'], ['channelJoin', { limit: -1 }, 'limit'], ['channelLeave', { channel: 'no blank' }, 'channel'],
  ['channelMessage', {}, 'message'], ['channelMessage', { message: '' }, 'message'], ['channelMessage', { message: 7 }, 'message'],
  ['channelMessage', { message: long(4097) }, 'message'], ['channelMessage', { message: 'x\u0007' }, 'message'],
  ['channelMessage', { message: 'x\r\ny' }, 'message'], ['channelMessage', { message: 'x\u0085' }, 'message'],
  ['channelMessage', { message: 'x', channel: 'x/y' }, 'channel'],
];
const visit = (await post(url, 'signIn', { signIn: { username: 'ann', password: PASSWORD } })).authorized;
for (const [type, payload, field] of bounds) {
  const what = `${type} ${JSON.stringify(payload).slice(0, 50)}`;
  const { error } = await ann.ask({ type, [type]: payload }, 'error');
  same([error.code, error.payload], [3, field], `${what} is error 3 and names it`);
  const reply = await post(url, type, { accessKey: ann.key, sessionUUID: visit.sessionUUID, [type]: payload });
  same([reply.status, reply.error?.code, reply.error?.payload], [400, 3, field], 'over HTTP as well');
}
const fits = [
  ['a name of 64 characters', 'signUp', { username: long(64, 'é'), password: PASSWORD }], ['of one', 'signUp', { username: 'ö', password: PASSWORD }],
  ['a name with a blank', 'signUp', { username: 'x y', password: PASSWORD }], ['a password of 8 bytes', 'signUp', { username: 'p8', password: long(8) }],
  ['of 1024', 'signUp', { username: 'p1024', password: long(1024) }],
  ['a message of 4096 characters', 'channelMessage', { message: long(4096, '€') }], ['16 KiB of them', 'channelMessage', { message: long(4096, '😀') }],
  ['with newline and tab', 'channelMessage', { message: 'a\n\tb' }], ['users with limit 1000', 'users', { limit: 1000 }],
  ['a channel of 64 bytes', 'channelMessage', { channel: long(64), message: 'x' }], ['and of points', 'channelMessage', { channel: '0._-', message: 'x' }],
];
for (const [what, type, payload] of fits) {
  const reply = await post(url, type, { accessKey: ann.key, [type]: payload });
  same([reply.status, reply.channelMessage?.Message], [200, payload.message], `${what} fits`);
}

for (const [username, status] of [['Ünal', 200], ['ünal', 200], ['ÜNAL', 409], ['ANN', 409], ['ann2', 200]]) {
  is((await post(url, 'signUp', { signUp: { username, password: PASSWORD } })).status, status, `the case of ASCII letters alone does not matter: ${username}`);
}

// ---- channels: who hears what ----

const ann2 = await signed('ann');
const bob2 = await signed('bob');
for (const c of [ann, ann2, bob, bob2]) await since(c);
await ann.ask(join({ recipientUUID: bob.uuid }));
await bob.ask(join({ recipientUUID: ann.uuid }));
for (const c of [ann, ann2, bob, bob2]) await since(c);
await ann.ask({ ...message('psst', { recipientUUID: bob.uuid }), id: 'p' }, 'ack');
const heard = { ann: await since(ann), ann2: await since(ann2), bob: await since(bob), bob2: await since(bob2) };
is(names(heard.ann).split(' ').sort().join(' '), 'ack channelMessage', 'who sends in a private channel gets the message once, and the ack');
is(names(heard.bob), 'channelMessage', 'who is in it gets the message, and no notice');
is(names(heard.ann2), 'sys channelMessage', "the sender's session that is not in it gets the notice");
is(names(heard.bob2), 'sys channelMessage', 'that of the other one, too');
const [sent] = heard.bob;
same([sent.channelMessage.RecipientUUID, sent.channelMessage.Recipient.Username, sent.channelMessage.Sender.Username], [bob.uuid, 'bob', 'ann'], 'the recipient is whom the sender addressed');
ok(heard.ann.some((f) => f.channelMessage && JSON.stringify(f) === JSON.stringify(sent)), 'for both readers');
ok(!('id' in sent), 'the id is on no event');
same([heard.bob2[0].sys.channelMessage.UUID, heard.bob2[0].sys.channelMessage.seq], [sent.channelMessage.UUID, sent.channelMessage.seq], 'the notice tells which message');
is(heard.ann2[0].cursor === heard.bob2[0].cursor, false, 'each has the cursor of its own');

await ann2.ask(message('from outside', { recipientUUID: bob.uuid }));
is(names(await since(ann2)).split(' ').sort().join(' '), 'channelMessage channelMessage sys', 'a sender that is not in the channel gets its message once, and the notice');
is(names(await since(ann)), 'channelMessage', 'the session that is in it the message');
await since(bob);
await bob2.ask({ ...message('answer', { recipientUUID: ann.uuid }) });
const answer = (await since(ann)).find((f) => f.channelMessage);
same([answer.channelMessage.RecipientUUID, answer.channelMessage.SenderUUID], [ann.uuid, bob.uuid], 'the answer has them the other way round');
same((await bob.ask(join({ recipientUUID: ann.uuid }))).channelJoin.messages.map((m) => m.RecipientUUID), [bob.uuid, bob.uuid, ann.uuid], 'and so has the history');
for (const c of [ann, ann2, bob, bob2]) await since(c);

await ann.ask(join({ recipientUUID: ann.uuid }));
await since(ann);
await ann.ask(message('remember', { recipientUUID: ann.uuid }));
is(names(await since(ann)), 'channelMessage', 'a note to oneself comes once');
is(names(await since(ann2)), 'sys channelMessage', 'and the notice of it once');
is(names(await since(bob)), '', 'nobody else hears of it');

for (const c of [ann, ann2, bob, bob2]) await c.ask(join({ channel: 'room' }));
for (const c of [ann, ann2, bob, bob2]) await since(c);
await ann.ask(message('to all', { channel: 'room' }));
for (const c of [ann, ann2, bob, bob2]) {
  const got = await since(c);
  same([names(got), got[0].channelMessage.channel, 'Recipient' in got[0].channelMessage], ['channelMessage', 'room', false], 'a message in a named channel reaches each session once');
}
const raw = (c) => c.raw.filter((t) => t.includes('"to all"')).join();
ok(raw(ann) && raw(ann) === raw(ann2) && raw(ann) === raw(bob2), 'the same bytes for all of them');

// Joins and leaves are those of the user: with the first session, with the last.
const carol = await signed('carol');
const carol2 = await signed('carol');
await since(ann);
const { cursor: before } = (await carol.ask(join({ channel: 'room' }))).channelJoin;
const told = (await since(ann)).filter((f) => f.userUUID);
same([names(told), told[0]?.userUUID, told[0]?.user.Username], ['sys channelJoin', carol.uuid, 'carol'], 'the first session joins');
await since(carol2);
carol2.send(join({ channel: 'room' }));
is(names(await since(ann)), '', 'the second one silently');
const second = await since(carol2);
same([names(second), second[1]?.userUUID, second[1]?.sys.channelJoin, second[1]?.cursor], ['channelJoin sys channelJoin', carol.uuid, { recipientUUID: '', channel: 'room' }, undefined], 'it gets a notice of its own behind the reply');
await since(carol);
same((await carol.ask(join({ channel: 'room' }))).channelJoin.total, 3, 'joining again gives the whole reply');
is(names(await since(ann)), '', 'and nobody hears of it');
is(names(await since(carol)), 'channelJoin', 'it gets the reply only');
for (const [where, place, cursor] of [['behind', told[0].cursor, undefined], ['before', before, told[0].cursor]]) {
  const resumed = await signed('carol');
  await since(resumed);
  resumed.send(join({ channel: 'room', since: place }));
  const got = await since(resumed);
  same([names(got), got[1]?.userUUID, got[1]?.cursor], ['channelJoin sys channelJoin', carol.uuid, cursor], `who resumes ${where} the user's join gets a notice once`);
  await resumed.ask({ type: 'channelLeave', channelLeave: { channel: 'room' } });
}
await since(ann);
await carol.ask({ type: 'channelLeave', channelLeave: { channel: 'room' } });
is(names(await since(ann)), '', 'a session leaves while another stays: silently');
await ann.ask(message('still there?', { channel: 'room' }));
ok((await since(carol2)).some((f) => f.channelMessage?.Message === 'still there?'), 'the one that stays hears on');
ok(!(await since(carol)).some((f) => f.channelMessage), 'the one that left does not');
await since(ann);
await carol2.ask({ type: 'channelLeave', channelLeave: { channel: 'room' } });
const gone = await since(ann);
same([names(gone), gone[0]?.userUUID, gone[0]?.channelLeave.senderUUID, gone[0]?.channelLeave.channel], ['channelLeave', carol.uuid, carol.uuid, 'room'], 'the last one leaves for the user');
is((await carol2.ask({ type: 'channelLeave', channelLeave: { channel: 'room' } })).type, 'channelLeave', 'leaving what one is not in is answered');
is(names(await since(ann)), '', 'and told to nobody');
await carol.ask(join({ channel: 'room' }));
await since(ann);
carol.ws.close();
is(names([await until('the leave', async () => (await since(ann))[0])]), 'channelLeave', 'a closed connection leaves after the grace');
const short = await signed('carol');
await short.ask(join({ channel: 'room' }));
await since(ann);
short.ws.close();
const back = await signed('carol');
await back.ask(join({ channel: 'room' }));
await new Promise((r) => setTimeout(r, 600)); // longer than the grace
is(names(await since(ann)), '', 'a short absence is forgiven');

// ---- 64 channels a session ----

const many = await signed('many');
for (let i = 0; i < 64; i += 1) many.send({ ...join({ channel: `n${i}`, limit: 0 }), id: `n${i}` });
await until('64 joins', () => many.frames.some((f) => f.id === 'n63'));
await bob.ask(join({ channel: 'n0' }));
await since(bob);
many.skip();
const more = await many.ask({ ...join({ channel: 'n64', limit: 0 }), id: 'n64' });
is(more.channelJoin.channel, 'n64', 'the 65th channel is joined');
const outgone = await until('the leave', async () => (await since(bob))[0]);
same([outgone.type, outgone.channelLeave?.channel, outgone.userUUID], ['channelLeave', 'n0', many.uuid], 'and the one joined longest ago is left');
await since(many);
for (const channel of ['n0', 'n1', 'n64']) await bob.ask(message(channel, { channel }));
same((await since(many)).filter((f) => f.channelMessage).map((f) => f.channelMessage.channel), ['n1', 'n64'], 'the others go on');

// ---- presence of users ----

const dave = await signed('dave');
await since(dave);
const dave2 = await signed('dave');
is(names(await since(dave)), '', 'the second session of a user is no sys signIn to the others');
await since(ann);
await dave2.ask({ type: 'signOut' });
is(names(await since(ann)), '', 'nor is its end a sys signOut');
is((await dave2.ask({ type: 'users' }, 'error')).error.code, 4, 'after signOut the session is nobody');
await dave.ask({ type: 'signOut' });
same((await since(ann)).map((f) => f.sys?.signOut?.uuid), [dave.uuid], 'the last one is');
const quiet = dave.frames.length;
await since(ann);
is(dave.frames.length, quiet, 'an unsigned session hears nothing');
const erin = await signed('erin');
await erin.ask(join({ channel: 'room' }));
await since(ann);
const other = await erin.ask({ type: 'signIn', signIn: { username: 'frank', password: PASSWORD } }, 'authorized');
ok(other.authorized.userUUID !== erin.uuid && other.authorized.created, 'signIn on a signed-in connection replaces the user');
const change = [];
await until('both changes', async () => {
  change.push(...await since(ann));
  return change.some((f) => f.sys?.type === 'signOut') && change.some((f) => f.type === 'channelLeave');
});
same(change.map((f) => f.sys?.signIn?.username ?? f.sys?.signOut?.username ?? f.channelLeave?.senderUUID).sort(), ['erin', 'frank', erin.uuid].sort(), 'frank comes; erin leaves, and leaves the channel');
await ann.ask(message('who is there?', { channel: 'room' }));
await since(ann);
ok(!erin.frames.some((f) => f.channelMessage?.Message === 'who is there?'), 'frank is in no channel of erin');
is((await erin.ask({ type: 'signIn', signIn: { username: 'frank', password: 'not the password' } }, 'error')).error.code, 5, 'a failed signIn');
is((await erin.ask(message('x'))).channelMessage.Sender.Username, 'frank', 'leaves the session as it was');
for (const password of [PASSWORD, 'not the password']) {
  is((await erin.ask({ type: 'signUp', signUp: { username: 'ANN', password } }, 'error')).error.code, 6, 'signUp never authorizes an existing name');
}

// ---- what must stand in no frame ----

const all = everybody.flatMap((c) => c.raw.map((text) => ({ c, text })));
ok(!all.some(({ text }) => text.includes(PASSWORD) || text.includes('not the password')), 'no frame holds a password');
ok(!all.some(({ text }) => !text.startsWith('{"type":"authorized"') && everybody.some((c) => c.key && text.includes(c.key))), 'no frame but authorized holds a key');
ok(!all.some(({ text }) => /^\{"type":"(sys|channel)/.test(text) && everybody.some((c) => text.includes(c.session))), 'no event names a session');
ok(all.every(({ text }) => !/^\{"type":"(channelMessage|sys)"/.test(text) || text.includes('"cursor":"') || /"sys":{"type":"(signIn|channelJoin)"/.test(text)), 'what comes out of a log has a cursor');

await end('responder', 'bridge');
