// SPDX-License-Identifier: MIT
// Whose request it is: who is believed, and who is not, by both programs; and
// that nobody can lock another out of his name.
import { startRedis, startResponder, startBridge, startNginx, freePort, post, Client, ok, is, end, work } from './lib.mjs';

const RIGHT = 'the right password';
const limits = { PALAVER_SIGN_IN_RATE: '3/600' };
await startRedis();
// What nginx on this machine says is believed, and what comes by loopback.
await startResponder('responder', limits);
await startBridge('bridge', limits);
const url = await startNginx(['responder'], ['bridge']);
// Loopback is no proxy: nginx tells its clients apart, and they are believed
// nothing.
await startResponder('strict', { ...limits, PALAVER_TRUSTED: 'unix' });
await startBridge('strict-bridge', { ...limits, PALAVER_TRUSTED: 'unix' });
const strict = await startNginx(['strict'], ['strict-bridge'], 'strict-nginx');
// Nobody is trusted; and a TCP peer that is not.
await startBridge('alone', { ...limits, PALAVER_TRUSTED: '' });
const port = await freePort();
await startBridge('tcp', { ...limits, PALAVER_TRUSTED: 'unix 10.0.0.0/8' }, port);

const socket = (name) => `ws+unix://${work}/${name}.sock:/ws`;
const ws = (base) => `${base.replace('http', 'ws')}/ws`;
const from = (address) => (address ? { headers: { 'X-Forwarded-For': address } } : {});
const password = (username, word) => ({ type: 'signIn', signIn: { username, password: word } });

/** The codes of n wrong passwords over a new WebSocket, as one text. */
async function guess(at, name, address, n) {
  const c = await Client.open(at, from(address));
  const codes = [];
  for (let i = 0; i < n; i += 1) codes.push((await c.ask(password(name, `wrong password ${i}`), 'error')).error.code);
  c.ws.close();
  return codes.join();
}
/** What the right one is answered with. */
async function signIn(at, name, address) {
  const c = await Client.open(at, from(address));
  c.send(password(name, RIGHT));
  await c.take();
  const reply = await c.take();
  c.ws.close();
  return reply.error?.code ?? reply.type;
}
const over = { // the same by HTTP
  guess: async (base, name, address, n) => {
    const codes = [];
    for (let i = 0; i < n; i += 1) codes.push((await post(base, 'signIn', password(name, `wrong password ${i}`), from(address).headers)).error.code);
    return codes.join();
  },
  signIn: async (base, name, address) => {
    const reply = await post(base, 'signIn', password(name, RIGHT), from(address).headers);
    return reply.error?.code ?? reply.type;
  },
};
const keys = {};
for (const name of ['ann', 'bob', 'carol', 'dave', 'eve', 'fay', 'gus', 'hal']) {
  keys[name] = (await post(url, 'signUp', { signUp: { username: name, password: RIGHT } })).authorized.accessKey;
}

// ---- a proxy at a unix socket ----

const bridge = socket('bridge');
is(await guess(bridge, 'ann', '192.0.2.1', 4), '5,5,5,9', 'WebSocket: failures count by the address that the proxy names');
is(await signIn(bridge, 'ann', '192.0.2.1'), 9, 'from there not even the right password is looked at');
is(await signIn(bridge, 'ann', '192.0.2.2'), 'authorized', 'and nobody else is locked out');
is(await signIn(bridge, 'bob', '192.0.2.1'), 'authorized', 'nor is another name');
is(await guess(bridge, 'ann', '192.0.2.2, 192.0.2.1', 1), '9', 'a forged entry on the left does not help who guesses');
is(await guess(bridge, 'ann', ['192.0.2.2', '192.0.2.1'], 1), '9', 'nor do two header fields');
is(await guess(bridge, 'ann', `${'192.0.2.2, '.repeat(300)}192.0.2.1`, 1), '9', 'nor does a long one');
is(await guess(bridge, 'ann', '192.0.2.1, 192.0.2.3, 127.0.0.1', 3), '5,5,5', 'and harms nobody who is named there');
is(await guess(bridge, 'bob', '2001:db8:0:1::1', 3), '5,5,5', 'IPv6');
is(await guess(bridge, 'bob', '[2001:db8:0:1:ffff::2]:9', 1), '9', 'counts by its /64');
is(await guess(bridge, 'bob', '2001:db8:0:2::1', 1), '5', 'and no wider');
is(await guess(bridge, 'bob', '::ffff:192.0.2.7', 3), '5,5,5', 'IPv4-mapped');
is(await guess(bridge, 'bob', '192.0.2.7', 1), '9', 'counts as IPv4');

// A key signs in whatever others do, from the very address that guesses.
const locked = await Client.open(bridge, from('192.0.2.1'));
is((await locked.ask({ type: 'signIn', signIn: { accessKey: keys.ann } }, 'authorized')).type, 'authorized', 'a valid key is never held up');
const byKey = await post(url, 'signIn', { signIn: { accessKey: keys.ann } }, from('192.0.2.1').headers);
is(byKey.type, 'authorized', 'over HTTP as well');
is((await post(url, 'channelMessage', { accessKey: keys.ann, channelMessage: { message: 'x' } }, from('192.0.2.1').headers)).status, 200, 'nor is who acts by it');
locked.ws.close();

// ---- nobody is believed ----

is(await guess(socket('alone'), 'carol', '192.0.2.1', 3), '5,5,5', 'trusted = (nobody)');
is(await guess(socket('alone'), 'carol', '192.0.2.2', 1), '9', 'a header is ignored');
const tcp = `ws://127.0.0.1:${port}/ws`;
is(await guess(tcp, 'carol', '192.0.2.1', 3), '5,5,5', 'a TCP peer that is not trusted');
is(await guess(tcp, 'carol', '192.0.2.2', 1), '9', 'counts by its own address');
is(await guess(bridge, 'carol', '127.0.0.1', 1), '9', 'which is the one that a proxy names');

// ---- through nginx ----

is(await over.guess(url, 'dave', '192.0.2.1', 4), '5,5,5,9', 'HTTP: X-Forwarded-For is believed when REMOTE_ADDR is trusted');
is(await over.signIn(url, 'dave', '192.0.2.2'), 'authorized', 'and others are not locked out');
is(await over.guess(url, 'dave', '192.0.2.2, 192.0.2.1', 1), '9', 'a forged entry on the left does not help');
is(await guess(ws(url), 'dave', '192.0.2.1', 1), '9', 'both programs count together');
is(await guess(ws(url), 'dave', '192.0.2.4', 1), '5', 'nginx hands the WebSocket the header on');

is(await over.guess(strict, 'eve', '192.0.2.1', 2), '5,5', 'HTTP: of an untrusted REMOTE_ADDR');
is(await over.guess(strict, 'eve', '192.0.2.2', 2), '5,9', 'the header is ignored');
is(await over.signIn(strict, 'eve', '192.0.2.3'), 9, 'REMOTE_ADDR counts');
is(await guess(ws(strict), 'fay', '192.0.2.1', 2), '5,5', 'WebSocket through nginx:');
is(await guess(ws(strict), 'fay', '192.0.2.2', 2), '5,9', 'what the client puts into the header is ignored');
is(await over.guess(strict, 'fay', '', 1), '9', 'both programs see the same address');

// ---- one who does all that he can to lock hal out ----

for (const address of ['', '6.6.6.6', '192.0.2.9', '127.0.0.1', 'unix:', 'garbage, 192.0.2.9']) {
  await over.guess(strict, 'hal', address, 4);
  await guess(ws(strict), 'hal', address, 4);
}
is(await signIn(socket('strict-bridge'), 'hal', '192.0.2.9'), 'authorized', 'nobody can lock another out of his name');

// ---- new users ----

await startResponder('few', { PALAVER_SIGN_UP_RATE: '2/3600' });
await startBridge('few-bridge', { PALAVER_SIGN_UP_RATE: '2/3600' });
const few = await startNginx(['few'], ['few-bridge'], 'few-nginx');
const made = async (name, address, type = 'signUp') => {
  const r = await post(few, type, { [type]: { username: name, password: RIGHT } }, from(address).headers);
  return r.error?.code ?? r.type;
};
is(await made('new1', '192.0.2.1'), 'authorized', 'signUp');
is(await made('new2', '192.0.2.1', 'signIn'), 'authorized', 'signIn that makes a user');
const beyond = await post(few, 'signUp', { signUp: { username: 'new3', password: RIGHT } }, from('192.0.2.1').headers);
is([beyond.status, beyond.error.code, beyond.retryAfter === beyond.error.payload, Number(beyond.retryAfter) > 600].join(), '429,9,true,true', 'beyond sign_up_rate is 429 with Retry-After');
is(await made('new3', '192.0.2.1', 'signIn'), 9, 'by signIn as well');
is(await signIn(socket('few-bridge'), 'new3', '192.0.2.1'), 9, 'and by WebSocket');
is(await made('new1', '192.0.2.1', 'signIn'), 'authorized', 'whoever is there signs in from there');
is(await made('new3', '192.0.2.2'), 'authorized', 'others may still be made elsewhere');
for (let i = 0; i < 4; i += 1) await made(`local${i}`, '');
is(await made('local5', ''), 'authorized', 'a trusted address stands for many, and is not counted');

// ---- where nobody may be made ----

await startResponder('closed', { PALAVER_SIGN_UP: 'off', PALAVER_SIGN_IN_RATE: '0', PALAVER_PASSWORD_COST: 'interactive' });
await startBridge('closed-bridge');
const closed = await startNginx(['closed'], ['closed-bridge'], 'closed-nginx');
is((await post(closed, 'signUp', { signUp: { username: 'ann', password: RIGHT } })).error.code, 10, 'signUp is error 10, whether the name is there');
is((await post(closed, 'signUp', { signUp: { username: 'nobody', password: RIGHT } })).error.code, 10, 'or not');

// ---- a failure is what was wrong ----

const many = await Promise.all(Array.from({ length: 3 }, () => signIn(bridge, 'gus', '192.0.2.1')));
ok(many.every((t) => t === 'authorized'), 'right passwords at once are no failures');
for (let i = 0; i < 6; i += 1) await signIn(bridge, 'gus', '192.0.2.1');
is(await signIn(bridge, 'gus', '192.0.2.1'), 'authorized', 'nor many of them');

await end('responder', 'bridge', 'strict', 'strict-bridge', 'alone', 'tcp', 'few', 'few-bridge', 'closed', 'closed-bridge');
