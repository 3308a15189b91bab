// SPDX-License-Identifier: MIT
// What a bridge bears: floods that cost the flooder and nobody else, numbers of
// connections, and connections that do not become anything.
import net from 'node:net';
import http from 'node:http';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { Wire, frame, TEXT, CONTINUATION, CLOSE, PING, PONG } from './wire.mjs';
import { startRedis, startResponder, startBridge, startNginx, freePort, post, Client, ok, is, until, end, work } from './lib.mjs';

await startRedis();
await startResponder('responder', { PALAVER_REQUEST_RATE: '5/600', PALAVER_MESSAGE_RATE: '2/600', PALAVER_SIGN_UP_RATE: '0' });
await startBridge('bridge', { PALAVER_REQUEST_RATE: '300/10' });
const url = await startNginx(['responder'], ['bridge']);
await startBridge('strict', { PALAVER_REQUEST_RATE: '20/5', PALAVER_MESSAGE_RATE: '3/600', PALAVER_SIGN_IN_WITHIN: '1' });
await startBridge('unlimited', { PALAVER_REQUEST_RATE: '0', PALAVER_PASSWORD_COST: 'interactive' });
await startBridge('hasty', { PALAVER_SIGN_IN_RATE: '0', PALAVER_SIGN_IN_WITHIN: '1' });
await startBridge('small', { PALAVER_MAX_CONNECTIONS: '3', PALAVER_ADDRESS_CONNECTIONS: '2' });
const port = await freePort();
await startBridge('tcp', { PALAVER_SIGN_IN_WITHIN: '1' }, port);
const socket = (name) => `ws+unix://${work}/${name}.sock:/ws`;
const users = { type: 'users', users: { limit: 0 } };

async function signed(at, name, options) {
  const c = await Client.open(at, options);
  const reply = await c.ask({ type: 'signIn', signIn: { username: name, password: 'a password' } }, 'authorized');
  await c.next('sys');
  return Object.assign(c, { key: reply.authorized.accessKey });
}

// ---- a flood costs the flooder ----

/** Sends requests as fast as the socket takes them; how many, until when. */
function flood(path, requests) {
  const s = net.connect(path);
  const chunk = Buffer.concat(Array.from({ length: Math.ceil(500 / requests.length) }, () => requests.map((r) => frame(TEXT, JSON.stringify(r)))).flat());
  const state = { socket: s, bytes: 0, got: Buffer.alloc(0), closed: false, each: chunk.length / (Math.ceil(500 / requests.length) * requests.length) };
  const more = () => {
    while (!state.closed && s.write(chunk)) state.bytes += chunk.length;
    state.bytes += chunk.length;
  };
  s.write(`GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`);
  s.once('data', more);
  s.on('drain', more);
  s.on('data', (d) => { state.got = Buffer.concat([state.got.subarray(-4096), d]); });
  s.on('error', () => {});
  s.on('close', () => { state.closed = true; });
  return state;
}
/** ms that each of n requests took, one after the other. */
async function latencies(c, n) {
  const out = [];
  for (let i = 0; i < n; i += 1) {
    const begin = process.hrtime.bigint();
    await new Promise((resolve) => {
      c.ws.once('message', resolve);
      c.send(users);
    });
    out.push(Number(process.hrtime.bigint() - begin) / 1e6);
  }
  return out.sort((a, b) => a - b);
}
const at = (sorted, part) => sorted[Math.floor(sorted.length * part)];
const say = (l) => `${at(l, 0.5).toFixed(2)}/${at(l, 0.95).toFixed(2)} ms`;

for (const [name, requests, what] of [
  ['bridge', [users], 'of somebody not signed in'],
  ['bridge', [{ type: 'signIn', signIn: { username: 'flooder', password: 'a password' } }, users], 'of a user'],
]) {
  const honest = await signed(socket(name), 'honest');
  const before = await latencies(honest, 100);
  const f = flood(`${work}/${name}.sock`, requests);
  const during = await latencies(honest, 150);
  await until('the close', () => f.closed || f.got.includes('flooding'));
  const sign = f.got.indexOf('flooding');
  is(sign > 1 && f.got.readUInt16BE(sign - 2), 4029, `a flood ${what} is closed with 4029`);
  ok(at(during, 0.95) < Math.max(25, at(before, 0.95) * 4), `the latency of others stays: ${say(before)} before, ${say(during)} meanwhile`);
  const sent = f.bytes / f.each;
  await until('the end', () => f.closed);
  ok(sent < 40000, `reading from it was paused: it could send ${Math.round(sent)} requests`);
  honest.ws.close();
}
{ // With no rate at all what is asked is bounded by what was answered.
  const honest = await signed(socket('unlimited'), 'honest');
  const before = await latencies(honest, 100);
  const floods = Array.from({ length: 4 }, () => flood(`${work}/unlimited.sock`, [{ type: 'signIn', signIn: { username: 'flooder', password: 'a password' } }, ...Array(49).fill({ ...users, users: { limit: 0, offset: 1 } })]));
  const during = await latencies(honest, 150);
  ok(at(during, 0.5) < Math.max(50, at(before, 0.5) * 20), `with no rate four floods and one honest peer take turns: ${say(before)} before, ${say(during)} meanwhile`);
  ok(floods.every((f) => !f.closed), 'and nobody is closed');
  for (const f of floods) f.socket.destroy();
  honest.ws.close();
}

// ---- requests of a session ----

const busy = await signed(socket('strict'), 'busy');
busy.frames.length = 0;
busy.skip();
for (let i = 0; i < 25; i += 1) busy.send({ ...users, id: `n${i}` });
await until('25 answers', () => busy.frames.length === 25);
is(busy.frames.map((f) => f.id).join(), Array.from({ length: 25 }, (_, i) => `n${i}`).join(), 'beyond the rate requests are answered in their turn, with their id');
const refused = busy.frames.filter((f) => f.type === 'error');
ok(refused.length >= 4 && refused.length <= 6 && refused.every((f) => f.error.code === 9), 'by error 9');
ok(refused.every((f) => /^[1-9]\d*$/.test(f.error.payload)), 'whose payload is the seconds to wait');
await new Promise((r) => setTimeout(r, 1000 * Number(refused.at(-1).error.payload))); // what it said
is((await busy.ask(users)).type, 'users', 'after that time it passes');
busy.ws.send(Buffer.from('x'), { binary: true });
for (let i = 0; i < 50; i += 1) busy.send('no JSON');
await until('the close', () => busy.code);
is(busy.code, 4029, 'beyond twice the rate it is closed, whatever it sends');
is(busy.reason, 'flooding', 'and told why');

// ---- frames that ask nothing ----

for (const [what, ...parts] of [
  ['pings', frame(PING, 'x'.repeat(125))],
  ['pongs', frame(PONG)],
  ['fragments with nothing in them', frame(CONTINUATION, '', { fin: false })],
]) {
  const w = await Wire.open(`${work}/strict.sock`);
  if (parts[0][0] === CONTINUATION) w.send(frame(TEXT, '{', { fin: false }));
  for (let i = 0; i < 500; i += 1) w.send(...parts);
  await w.until('the close', () => w.frames.some((f) => f.opcode === CLOSE));
  is(w.frames.at(-1)?.data.readUInt16BE(0), 4029, `a flood of ${what} is closed with 4029`);
  w.drop();
}
{ // With no rate, what waits for who does not read it counts like all else.
  await startBridge('narrow', { PALAVER_REQUEST_RATE: '0', PALAVER_SEND_MEMORY: '16384' });
  const deaf = await Promise.all(Array.from({ length: 8 }, () => Wire.open(`${work}/narrow.sock`)));
  const pings = Buffer.concat(Array(100).fill(frame(PING, 'x'.repeat(125))));
  for (const w of deaf) {
    w.socket.pause();
    for (let i = 0; i < 100; i += 1) w.send(pings);
  }
  await until('all pings to be taken', () => deaf.every((w) => w.socket.writableLength === 0 || w.socket.destroyed));
  for (const w of deaf) w.socket.resume();
  const told = () => deaf.filter((w) => w.frames.some((f) => f.opcode === CLOSE && f.data.readUInt16BE(0) === 4008)).length;
  const cut = () => deaf.filter((w) => w.ended).length;
  await until('some to be closed', () => told() + cut() > 0);
  ok(true, 'pongs that are not read count in send_memory');
  for (const w of deaf) w.drop();
}

// ---- messages of a user ----

const talker = await signed(socket('strict'), 'talker');
const said = [];
for (let i = 0; i < 4; i += 1) {
  talker.send({ type: 'channelMessage', id: `m${i}`, channelMessage: { message: `${i}` } });
  said.push((await until('an answer', () => talker.frames.find((f) => f.id === `m${i}`))).error?.code ?? 'ack');
}
is(said.join(), 'ack,ack,ack,9', 'messages beyond message_rate are error 9');
ok(Number(talker.frames.at(-1).error.payload) > 100, 'with the seconds to wait');
const other = await signed(socket('strict'), 'talker');
is((await other.ask({ type: 'channelMessage', channelMessage: { message: 'x' } }, 'error')).error.code, 9, "in all of the user's sessions");
is((await other.ask(users)).type, 'users', 'who may still ask');
const third = await signed(socket('strict'), 'third');
third.send({ type: 'channelMessage', id: 'i', channelMessage: { message: 'x' } });
is((await third.next('ack')).type, 'ack', 'and others may talk');

// ---- over HTTP ----

const web = (await post(url, 'signUp', { signUp: { username: 'web', password: 'a password' } })).authorized;
const http1 = web.accessKey;
const http2 = (await post(url, 'signUp', { signUp: { username: 'web2', password: 'a password' } })).authorized.accessKey;
const talk = (key) => post(url, 'channelMessage', { accessKey: key, channelMessage: { message: 'x' } });
is([await talk(http1), await talk(http1)].map((r) => r.status).join(), '200,200', 'messages over HTTP');
const much = await talk(http1);
is([much.status, much.error.code, much.retryAfter === much.error.payload && Number(much.retryAfter) > 100].join(), '429,9,true', 'beyond message_rate are 429 with Retry-After');

is((await post(url, 'users', { accessKey: http1 })).status, 200, 'who may still ask');
const asked = [];
for (let i = 0; i < 3; i += 1) asked.push(await post(url, 'users', { accessKey: http1 }));
is(asked.map((r) => r.status).join(), '200,429,429', 'requests of a user beyond request_rate are 429 as well');
is([asked[2].error.code, asked[2].retryAfter === asked[2].error.payload && Number(asked[2].retryAfter) > 100].join(), '9,true', 'with Retry-After');
for (const type of ['channelJoin', 'channelLeave', 'channels', 'channelMessages', 'channelRead', 'channelMessage', 'users']) {
  is((await post(url, type, { accessKey: http1, sessionUUID: web.sessionUUID, [type]: { seq: 1, message: 'x', recipientUUID: '' } })).status, 429, `${type} counts`);
}
is((await post(url, 'signIn', { signIn: { accessKey: http1 } })).status, 429, 'and so does a sign-in by key, which makes a session');
is((await post(url, 'signIn', { signIn: { username: 'web', password: 'a password' } })).status, 200, 'who has the password signs in all the same');
is((await post(url, 'users', { accessKey: http2 })).status, 200, 'and others may ask');

// ---- connections ----

function shake(name, address) {
  return new Promise((resolve) => {
    const r = http.get({ socketPath: `${work}/${name}.sock`, path: '/ws', headers: { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': 13, 'Sec-WebSocket-Key': randomBytes(16).toString('base64'), ...(address && { 'X-Forwarded-For': address }) } });
    r.on('upgrade', (m, s) => resolve({ status: m.statusCode, close: () => s.destroy() }));
    r.on('response', async (m) => {
      let text = '';
      for await (const d of m) text += d;
      resolve({ status: m.statusCode, retryAfter: m.headers['retry-after'], type: m.headers['content-type'], text });
    });
    r.on('error', (e) => resolve({ status: e.code }));
  });
}
const a1 = await shake('small', '192.0.2.1');
const a2 = await shake('small', '192.0.2.1');
is(`${a1.status},${a2.status}`, '101,101', 'WebSockets of an address');
const a3 = await shake('small', '192.0.2.1');
is(a3.status, 503, 'one beyond address_connections is refused with 503');
ok(Number(a3.retryAfter) > 0, 'and Retry-After');
is(`${a3.type} ${a3.text}`, 'application/json; charset=utf-8 {"type":"error","error":{"code":21,"error":"full","payload":"connections"}}', 'it is error 21');
is((await shake('small', '192.0.2.9, 192.0.2.1')).status, 503, 'a forged entry does not help');
const b1 = await shake('small', '192.0.2.2');
is(b1.status, 101, 'another address has room');
is((await shake('small', '192.0.2.3')).status, 503, 'until max_connections');
a1.close();
const a4 = await until('room', async () => {
  const r = await shake('small', '192.0.2.1');
  return r.status === 101 && r;
});
ok(a4, 'a place that becomes free can be had');
b1.close();
a4.close();
a2.close();
const same = [];
await until('an empty bridge', async () => {
  const r = await Promise.all([shake('small'), shake('small'), shake('small')]);
  same.push(...r.filter((x) => x.close));
  const good = r.every((x) => x.status === 101);
  if (!good) for (const x of same.splice(0)) x.close();
  return good;
});
ok(true, 'a proxy that names nobody is not taken for one client');
for (const s of same) s.close();
{ // max_connections bounds those who ask for nothing as well: the oldest goes.
  const open = () => until('room', () => Wire.open(`${work}/small.sock`).then((w) => w.status === 101 && w));
  const [near, leaves] = [await open(), await open()];
  const idlers = [];
  for (let n = 0; n < 6; n += 1) {
    const w = new Wire(`${work}/small.sock`, 'GET /ws HTTP/1.1\r\n');
    await once(w.socket, 'connect');
    idlers.push(w);
  }
  await until('three of them to go', () => idlers.filter((w) => w.ended).length >= 3);
  ok(idlers.slice(0, 3).every((w) => w.ended), 'connections that are no WebSocket are as many as max_connections, the oldest go');
  leaves.drop();
  for (let n = 0; n < 4; n += 1) { // until what was done before is done
    near.send(frame(PING));
    await near.next();
  }
  is(idlers.filter((w) => w.ended).length, 3, 'who leaves a WebSocket puts none of them out');
  is((await shake('small', '192.0.2.4')).status, 101, 'and they keep nobody out');
  near.drop();
  for (const w of idlers) w.drop();
}

// ---- connections that become nothing ----

const idle = await Client.open(socket('strict'));
const opened = Date.now();
await until('the close', () => idle.code, 8000);
is(`${idle.code} ${idle.reason}`, '1001 not signed in', 'who does not sign in is closed with 1001');
ok(Date.now() - opened < 4000, 'in time');
ok(third.code === 0 && talker.code === 0, 'who has signed in stays');
await third.ask({ type: 'signOut' });
await until('the close', () => third.code, 8000);
is(third.code, 1001, 'who signs out and does not sign in again is closed as well');
// One request or another of his is always under way: each costs a hash.
await signed(socket('unlimited'), 'costly');
const tries = await Client.open(socket('hasty'));
for (let n = 0; n < 100; n += 1) tries.send({ type: 'signIn', id: `${n}`, signIn: { username: 'costly', password: 'a wrong one' } });
await until('the close', () => tries.code, 60000);
is(tries.code, 1001, 'who only tries is closed, too');
ok(tries.frames.filter((f) => f.type === 'error').length < 100, 'and not when there is nothing more to try');

const half = 'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';
const gone = (s) => new Promise((resolve) => s.on('error', () => {}).on('close', () => resolve(Date.now())));
const begin = Date.now();
const silent = Array.from({ length: 20 }, () => net.connect(port, '127.0.0.1'));
const halves = Array.from({ length: 200 }, () => {
  const s = net.connect(port, '127.0.0.1');
  s.write(half);
  return s;
});
const slow = net.connect(port, '127.0.0.1');
slow.on('error', () => {});
slow.write(half);
const drip = setInterval(() => slow.write('X-Slow: 1\r\n'), 100);
const kept = net.connect(port, '127.0.0.1');
kept.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
kept.resume();
const ends = Promise.all([...silent, ...halves, slow, kept].map(gone));
const through = await signed(`ws://127.0.0.1:${port}/ws`, 'through');
ok(Date.now() - begin < 900, '200 half-finished handshakes do not keep others out', `${Date.now() - begin} ms`);
const last = Math.max(...await Promise.race([ends, new Promise((resolve) => setTimeout(() => resolve([Infinity]), 15000).unref())]));
clearInterval(drip);
ok(last - begin < 10000, `silent, half-finished, slow and idle connections are closed (${last - begin} ms)`);
is((await through.ask(users)).type, 'users', 'and who has signed in stays');

await end('responder', 'bridge', 'strict', 'unlimited', 'hasty', 'small', 'tcp', 'narrow');
