// SPDX-License-Identifier: MIT
// RFC 6455 against the bridge, by raw sockets. Each case names its section.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { startRedis, startBridge, ok, is, end, work } from './lib.mjs';
import { Wire, frame, closing, handshake, KEY, CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG } from './wire.mjs';

const path = `${work}/bridge.sock`;
await startRedis();
const bridge = await startBridge('bridge', { PALAVER_ORIGINS: '', ASAN_OPTIONS: `detect_leaks=1:quarantine_size_mb=1:log_path=${work}/asan` });

// A request that the bridge answers by itself: an unknown type, with our id.
const ask = (id) => JSON.stringify({ type: 'nope', id });
const answers = async (w, id) => {
  const f = await w.next();
  if (!f || f.opcode !== TEXT) return `got ${f && f.opcode} ${f && f.data.toString('hex')}`;
  const m = JSON.parse(f.data);
  return m.error?.code === 2 && m.id === id ? 'answered' : String(f.data);
};
const alive = async (w, what) => {
  w.send(frame(TEXT, ask('alive')));
  is(await answers(w, 'alive'), 'answered', what);
  w.drop();
};
/** Sends parts on a new connection; how it ends. */
const ends = async (what, wanted, ...parts) => {
  const w = await Wire.open(path);
  w.send(...parts);
  is(await w.closes(), wanted, what);
  w.send(frame(CLOSE));
  await w.end();
};

// ---- handshake ----

const refused = async (what, status, text) => {
  const w = new Wire(path, text);
  is(await w.answer(), status, what);
  w.drop();
  return w.head;
};
{
  const w = new Wire(path, handshake());
  await w.until('a frame', () => w.frames.length > 0);
  is(w.status, 101, '4.2.2: a proper handshake is answered with 101');
  const accept = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  is(accept, 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=', '1.3: the sample of the RFC');
  ok(w.head.includes(`\r\nSec-WebSocket-Accept: ${accept}\r\n`), '4.2.2: Sec-WebSocket-Accept is right');
  ok(/\r\nUpgrade: websocket\r\n/i.test(w.head), '4.2.2: Upgrade: websocket');
  ok(/\r\nConnection: upgrade\r\n/i.test(w.head), '4.2.2: Connection: Upgrade');
  ok(!/Sec-WebSocket-Protocol/i.test(w.head), '4.2.2: no subprotocol when none was asked for');
  const ready = w.frames[0];
  is(ready.first, 0x81, '5.2: the first frame is a whole text frame, no reserved bit');
  ok(!ready.masked, '5.1: a server does not mask');
  is(JSON.parse(ready.data).type, 'ready', 'it says ready');
  w.drop();
}
{
  const w = new Wire(path, handshake({ 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits, x-webkit-deflate-frame' }));
  await w.until('a frame', () => w.frames.length > 0);
  w.frames.shift();
  ok(w.status === 101 && !/Sec-WebSocket-Extensions/i.test(w.head), '9.1: no extension is negotiated');
  await alive(w, '9.1: and it works without');
}
{
  const w = new Wire(path, handshake({ Upgrade: 'WebSocket', Connection: 'keep-alive, uPgRaDe' }));
  is(await w.answer(), 101, '4.2.1: case does not matter, Connection may be a list');
  w.drop();
}
{
  const split = handshake();
  const w = new Wire(path);
  for (const c of split) {
    w.send(c);
    await new Promise(setImmediate);
  }
  is(await w.answer(), 101, '4.2.1: a handshake that comes byte by byte');
  w.drop();
}
{
  const w = new Wire(path, Buffer.concat([Buffer.from(handshake()), frame(TEXT, ask('early'))]));
  await w.until('two frames', () => w.frames.length > 1);
  w.frames.shift();
  is(await answers(w, 'early'), 'answered', '4.1: a frame right behind the handshake is not lost');
  w.drop();
}
await refused('4.2.1: no Upgrade', 426, handshake({ Upgrade: null }));
await refused('4.2.1: Upgrade of another protocol', 426, handshake({ Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAARAAAAAAAIAAAAA' }));
await refused('4.2.1: no Connection', 426, handshake({ Connection: null }));
await refused('4.2.1: Connection without upgrade', 426, handshake({ Connection: 'keep-alive' }));
await refused('4.2.1: Connection with a part of the word', 426, handshake({ Connection: 'up' }));
await refused('4.2.1: no Sec-WebSocket-Key', 400, handshake({ 'Sec-WebSocket-Key': null }));
await refused('4.2.1: a key that is no base64', 400, handshake({ 'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!==' }));
await refused('4.2.1: a key of 15 bytes', 400, handshake({ 'Sec-WebSocket-Key': Buffer.alloc(15).toString('base64') }));
await refused('4.2.1: a key of 17 bytes', 400, handshake({ 'Sec-WebSocket-Key': Buffer.alloc(17).toString('base64') }));
await refused('4.2.1: an empty key', 400, handshake({ 'Sec-WebSocket-Key': '' }));
await refused('4.2.1: no Host', 400, handshake({ Host: null }));
for (const version of [null, '8', '0', '14', '131', 'x']) {
  const head = await refused(`4.2.2, 4.4: Sec-WebSocket-Version ${version ?? 'missing'}`, 426, handshake({ 'Sec-WebSocket-Version': version }));
  ok(/\r\nSec-WebSocket-Version: 13\r\n/.test(head), '4.4: the answer names the version that we speak');
}
await refused('4.2.1: the method must be GET, not POST', 405, handshake({ 'Content-Length': '0' }, 'POST /ws HTTP/1.1'));
await refused('4.2.1: not PUT', 405, handshake({ 'Content-Length': '0' }, 'PUT /ws HTTP/1.1'));
await refused('4.2.1: HTTP/1.0 is too old', 400, handshake({}, 'GET /ws HTTP/1.0'));
await refused('4.2.2: another path', 404, handshake({}, 'GET /other HTTP/1.1'));
await refused('10.2: a foreign Origin', 403, handshake({ Origin: 'http://evil.example' }));
await refused('10.2: an Origin too long to be one', 403, handshake({ Origin: `http://${'a'.repeat(600)}` }));
await refused('10.2: the own Origin', 101, handshake({ Origin: 'http://bridge' }));
await refused('4.2.2: a subprotocol that is not known', 400, handshake({ 'Sec-WebSocket-Protocol': 'chat, superchat' }));
for (const [what, fields] of [
  ['two keys', { 'sec-websocket-key': KEY }],
  ['two Hosts', { host: 'bridge' }],
  ['a body', { 'Content-Length': '5' }],
  ['a body in chunks', { 'Transfer-Encoding': 'chunked' }],
  ['a blank before the colon', { 'X-A ': 'b' }],
  ['a field that goes on in the next line', { 'X-A': 'b\r\n c' }],
  ['a bare CR', { 'X-A': 'b\rc' }],
  ['a bare LF', { 'X-A': 'b\nX-B: c' }],
]) await refused(`RFC 9112: ${what}`, 400, handshake(fields));
await refused('RFC 9112, 3.2.2: a whole URI, whose host is the own', 101, handshake({ Origin: 'http://other:80' }, 'GET http://other:80/ws HTTP/1.1'));
await refused('RFC 9110, 7.8: Connection and Upgrade in several lines', 101, handshake({ Connection: 'keep-alive\r\nConnection: upgrade', Upgrade: 'h2c\r\nUpgrade: websocket' }));
await refused('RFC 6585, 5: more than 8 kB of fields', 431, handshake({ 'X-Long': 'a'.repeat(8192) }));
await refused('up to that there may be any cookies', 101, handshake({ Cookie: 'a'.repeat(7900) }));
for (const [status, line] of [[200, 'GET /health'], [200, 'HEAD /health'], [405, 'POST /health'], [404, 'GET /'], [426, 'GET /ws'], [405, 'DELETE /ws']]) {
  const w = new Wire(path, handshake({ Upgrade: null }, `${line} HTTP/1.1`));
  await w.end();
  is(w.status, status, `RFC 9110: ${line} is ${status}`);
  const length = Number(/\r\nContent-Length: (\d+)\r\n/.exec(w.head)?.[1]);
  ok(/\r\nConnection: close\r\n/.test(w.head) && w.rest === (line.startsWith('HEAD') ? 0 : length), 'its answer is whole, then the connection ends', w.head);
}
for (const [what, status, text] of [
  ['a header field of 1 MB', 431, handshake({ 'X-Long': 'a'.repeat(1000000) })],
  ['2,000 header fields', 431, handshake(Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`X-${n}`, 'a'])))],
  ['a path of 1 MB', 431, handshake({}, `GET /${'a'.repeat(1000000)}/ws HTTP/1.1`)],
  ['no HTTP at all', 400, `${'\x16\x03\x01'.repeat(1000)}\r\n\r\n`],
  ['CONNECT', 400, 'CONNECT bridge:80 HTTP/1.1\r\nHost: bridge\r\n\r\n'],
  ['HTTP/2 by prior knowledge', 505, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
]) await refused(`4.2.1: ${what} is no handshake, and is told so`, status, text);

// ---- framing ----

for (const [what, text, length] of [
  ['7 bits', ask('short'), 0],
  ['16 bits', ask('m'.repeat(60)).padEnd(200), 0],
  ['16 bits at most', ask('m').padEnd(65535), 0],
  ['64 bits', ask('m').padEnd(65536), 0],
]) {
  const w = await Wire.open(path);
  w.send(frame(TEXT, text, { length }));
  is(await answers(w, JSON.parse(text).id), 'answered', `5.2: a length of ${what} (${text.length} bytes)`);
  w.drop();
}
for (const n of [125, 126, 127]) {
  const w = await Wire.open(path);
  w.send(frame(TEXT, ask('m').padEnd(n)));
  is(await answers(w, 'm'), 'answered', `5.2: ${n} bytes, where the forms of length meet`);
  w.drop();
}
{
  const w = await Wire.open(path);
  w.send(frame(TEXT, ask('zero'), { mask: [0, 0, 0, 0] }));
  is(await answers(w, 'zero'), 'answered', '5.3: a mask of zeros is a mask');
  w.send(frame(TEXT, ask('ones'), { mask: [255, 255, 255, 255] }));
  is(await answers(w, 'ones'), 'answered', '5.3: each frame has its own mask');
  w.drop();
}
for (let rsv = 1; rsv < 8; rsv += 1) await ends(`5.2: reserved bits ${rsv.toString(2).padStart(3, '0')}`, 1002, frame(TEXT, ask('r'), { rsv }));
await ends('5.2: a reserved bit in a control frame', 1002, frame(PING, '', { rsv: 4 }));
for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) await ends(`5.2: reserved opcode ${opcode}`, 1002, frame(opcode, 'x'));
// A pong is sent when the socket can next take it: perhaps behind an answer.
const pongAndAnswer = async (w) => {
  const both = [await w.next(), await w.next()].map((f) => (f?.opcode === PONG ? `pong ${f.data}` : JSON.parse(f.data).id));
  return both.sort().join() === 'cut,pong p';
};
{
  const bytes = Buffer.concat([frame(TEXT, ask('cut').slice(0, 9), { fin: false }), frame(PING, 'p'), frame(CONTINUATION, ask('cut').slice(9).padEnd(130))]);
  let good = 0;
  for (let at = 1; at < bytes.length; at += 1) {
    const w = await Wire.open(path);
    w.send(bytes.subarray(0, at));
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    w.send(bytes.subarray(at));
    good += await pongAndAnswer(w);
    w.drop();
  }
  is(good, bytes.length - 1, `5.2: frames in two pieces, cut at each of ${bytes.length - 1} places`);
  const w = await Wire.open(path);
  for (const b of bytes) {
    w.send(Buffer.from([b]));
    await new Promise(setImmediate);
  }
  ok(await pongAndAnswer(w), '5.2: byte by byte');
  w.drop();
}
{
  const w = await Wire.open(path);
  w.send(Buffer.concat(Array.from({ length: 12 }, (_, n) => frame(TEXT, ask(`${n}`)))));
  const got = [];
  for (let n = 0; n < 12; n += 1) got.push(await answers(w, `${n}`));
  ok(got.every((g) => g === 'answered'), '5.2: twelve frames in one piece, answered in order');
  w.drop();
}

// ---- fragmentation ----

const fragments = (text, ...cuts) => {
  const data = Buffer.from(text);
  const at = [0, ...cuts, data.length];
  return at.slice(1).map((to, n) => frame(n ? CONTINUATION : TEXT, data.subarray(at[n], to), { fin: n === at.length - 2 }));
};
for (const [what, parts] of [
  ['two fragments', fragments(ask('f'), 5)],
  ['a fragment for each byte', fragments(ask('f'), ...Array.from({ length: ask('f').length - 1 }, (_, n) => n + 1))],
  ['an empty first fragment', fragments(ask('f'), 0)],
  ['an empty last fragment', fragments(ask('f'), ask('f').length)],
  ['empty ones in between', fragments(ask('f'), 3, 3, 3, 7, 7)],
]) {
  const w = await Wire.open(path);
  w.send(...parts);
  is(await answers(w, 'f'), 'answered', `5.4: ${what}`);
  w.drop();
}
{
  const w = await Wire.open(path);
  const [a, b, c] = fragments(ask('f'), 4, 8);
  w.send(a, frame(PING, 'one'));
  const one = await w.next();
  ok(one?.opcode === PONG && String(one.data) === 'one', '5.4: a ping between fragments is answered in between');
  w.send(b, frame(PONG, 'two'), frame(PING, ''));
  const two = await w.next();
  ok(two?.opcode === PONG && two.data.length === 0, '5.5.3: an empty ping, an empty pong');
  w.send(c);
  is(await answers(w, 'f'), 'answered', '5.4: and the message is whole');
  await alive(w, '5.4: the next message begins anew');
}
{
  const w = await Wire.open(path);
  w.send(...fragments('', 0));
  const f = await w.next();
  is(JSON.parse(f.data).error.code, 1, '5.4: an empty message in two empty fragments is a message: error 1');
  await alive(w, 'and the connection stays');
}
await ends('5.4: a continuation without a beginning', 1002, frame(CONTINUATION, 'x'));
await ends('5.4: one that is not the last', 1002, frame(CONTINUATION, 'x', { fin: false }));
await ends('5.4: a text frame amid a message', 1002, frame(TEXT, '{', { fin: false }), frame(TEXT, ask('x')));
await ends('5.4: a binary frame amid a message', 1002, frame(TEXT, '{', { fin: false }), frame(BINARY, 'x'));
await ends('5.4: an unfinished text frame amid a message', 1002, frame(TEXT, '{', { fin: false }), frame(TEXT, '{', { fin: false }));
{
  const w = await Wire.open(path);
  w.send(frame(TEXT, ask('first')), frame(CONTINUATION, 'x'));
  is(await answers(w, 'first'), 'answered', '5.4: what came before the fault is answered');
  is(await w.closes(), 1002, '5.4: a continuation behind a whole message');
}

// ---- control frames ----

for (const n of [0, 1, 124, 125]) {
  const w = await Wire.open(path);
  const data = Buffer.alloc(n, 0xfe);
  w.send(frame(PING, data));
  const f = await w.next();
  ok(f?.first === (0x80 | PONG) && f.data.equals(data), `5.5.2, 5.5.3: a ping of ${n} bytes comes back as a pong`);
  await alive(w, '5.5.2: and the connection stays');
}
await ends('5.5: a ping in fragments', 1002, frame(PING, 'x', { fin: false }));
await ends('5.5: a pong in fragments', 1002, frame(PONG, 'x', { fin: false }));
await ends('5.5: a close in fragments', 1002, frame(CLOSE, Buffer.from([3, 232]), { fin: false }));
{
  const w = await Wire.open(path);
  w.send(frame(PONG, ''), frame(PONG, 'hello'), frame(PONG, Buffer.from([0xff, 0xfe, 0xc3])), frame(PONG, Buffer.alloc(125)));
  await alive(w, '5.5.3: pongs that nobody asked for are ignored, whatever they carry');
}
{
  const w = await Wire.open(path);
  w.send(frame(TEXT, ask('p')), frame(PONG, Buffer.from([0xff])));
  is(await answers(w, 'p'), 'answered', '5.5.3: behind a text message');
  w.send(...fragments(ask('é'), 22).flatMap((f) => [f, frame(PONG, Buffer.from([0x80, 0xff]))]).slice(0, -1));
  is(await answers(w, 'é'), 'answered', '5.5.3: and amid a character of one that comes in fragments');
  w.drop();
}

// ---- UTF-8 ----

const within = (bytes) => Buffer.concat([Buffer.from('{"type":"nope","id":"'), Buffer.from(bytes), Buffer.from('"}')]);
for (const [what, bytes] of [
  ['two bytes', [0xc3, 0xa9]],
  ['three bytes', [0xe2, 0x82, 0xac]],
  ['four bytes', [0xf0, 0x9f, 0x98, 0x80]],
  ['U+10FFFF', [0xf4, 0x8f, 0xbf, 0xbf]],
  ['U+FFFE', [0xef, 0xbf, 0xbe]],
  ['U+D7FF and U+E000', [0xed, 0x9f, 0xbf, 0xee, 0x80, 0x80]],
]) {
  const id = Buffer.from(bytes).toString();
  const w = await Wire.open(path);
  w.send(frame(TEXT, within(bytes)));
  is(await answers(w, id), 'answered', `8.1: ${what}, valid`);
  let good = 0;
  for (let at = 1; at < bytes.length; at += 1) {
    w.send(...fragments(within(bytes), 21 + at));
    good += await answers(w, id) === 'answered';
  }
  is(good, bytes.length - 1, `8.1: ${what}, split between fragments at each byte`);
  w.drop();
}
for (const [what, bytes] of [
  ['a lone continuation byte', [0x80]],
  ['0xFF', [0xff]],
  ['an overlong form of two bytes', [0xc0, 0xaf]],
  ['an overlong form of three', [0xe0, 0x80, 0xaf]],
  ['an overlong form of four', [0xf0, 0x80, 0x80, 0xaf]],
  ['a surrogate', [0xed, 0xa0, 0x80]],
  ['U+110000', [0xf4, 0x90, 0x80, 0x80]],
  ['a character cut by an ASCII one', [0xe2, 0x82, 0x41]],
]) {
  await ends(`8.1: ${what} is not UTF-8`, 1007, frame(TEXT, within(bytes)));
  await ends(`8.1: ${what}, a fragment for each byte`, 1007, ...fragments(within(bytes), ...Array.from(within(bytes), (_, n) => n).slice(1)));
}
await ends('8.1: a message that ends amid a character', 1007, frame(TEXT, Buffer.from([0x22, 0xf0, 0x9f, 0x98])));
await ends('8.1: its last fragment does', 1007, frame(TEXT, Buffer.from([0x22]), { fin: false }), frame(CONTINUATION, Buffer.from([0xe2, 0x82])));
await ends('8.1: its last fragment is empty', 1007, frame(TEXT, Buffer.from([0x22, 0xe2, 0x82]), { fin: false }), frame(CONTINUATION, ''));
{
  const w = await Wire.open(path);
  w.send(frame(TEXT, '{"type":"a\0"}'));
  is(JSON.parse((await w.next()).data).error.code, 1, '8.1: NUL is UTF-8, but no JSON: error 1');
  await alive(w, 'and the connection stays');
}

// ---- closing ----

for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]) {
  await ends(`5.5.1, 7.4: close ${code} is answered with the same`, code, closing(code, 'bye'));
}
for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]) {
  await ends(`7.4: ${code} must not be sent: 1002`, 1002, closing(code));
}
await ends('5.5.1: a close without payload is answered without', 0, frame(CLOSE));
await ends('5.5.1: a payload of one byte holds no code', 1002, frame(CLOSE, 'x'));
await ends('5.5.1: a reason of 123 bytes', 1000, closing(1000, 'r'.repeat(123)));
await ends('5.5.1, 8.1: a reason that is not UTF-8', 1007, closing(1000, Buffer.from([0xff])));
await ends('5.5.1, 8.1: a reason that ends amid a character', 1007, closing(1000, Buffer.from([0xe2, 0x82])));
{
  const w = await Wire.open(path);
  w.send(closing(1000), frame(TEXT, ask('late')), frame(PING, 'late'));
  // What still comes may make the kernel reset the connection.
  ok([1000, 'cut'].includes(await w.closes()), '5.5.1: nothing is read behind a close');
  await w.end();
  is(w.frames.length, 0, '5.5.1: so nothing more is answered');
}
await ends('5.5.1: nor a second close', 1000, Buffer.concat([closing(1000), closing(3000)]));
await ends('5.5.1: a close amid a message', 1000, frame(TEXT, '{', { fin: false }), closing(1000));
{
  const w = await Wire.open(path);
  w.send(Buffer.concat([frame(TEXT, ask('last')), closing(1000)]));
  is(await answers(w, 'last'), 'answered', '7.1.2: what came before the close is answered');
  is(await w.closes(), 1000, '7.1.2: then the close is');
  await w.end();
  is(w.frames.length, 0, '7.1.1: the server closes the connection, no frame follows');
}
{
  const w = await Wire.open(path);
  w.send(frame(TEXT, Buffer.from([0xff])));
  is(await w.closes(), 1007, '7.1.7: a failed connection');
  w.send(frame(TEXT, ask('late')), closing(1007));
  await w.end();
  is(w.frames.length, 0, '5.5.1: after our close nothing is answered, not even the close that answers it');
}
{
  const w = await Wire.open(path);
  w.send(frame(TEXT, Buffer.from([0xff])));
  await w.closes();
  const since = Date.now();
  await w.end();
  ok(Date.now() - since < 3000, '7.1.7: which the server ends at once');
}
{
  await startBridge('impatient', { PALAVER_SIGN_IN_WITHIN: '1' });
  const w = await Wire.open(`${work}/impatient.sock`);
  is(await w.closes(), 1001, '7.4.1: a connection that the server is done with');
  const since = Date.now();
  w.send(frame(TEXT, ask('late')), frame(PING, 'late'));
  await w.end();
  ok(Date.now() - since > 3000, '7.1.1: a peer that does not answer our close has some seconds, then the connection ends');
  is(w.frames.length, 0, '5.5.1: nothing else is answered meanwhile');
  const v = await Wire.open(`${work}/impatient.sock`);
  is(await v.closes(), 1001, '7.4.1: another');
  const at = Date.now();
  v.send(frame(TEXT, ask('late')), closing(1001));
  await v.end();
  ok(Date.now() - at < 3000, '7.1.1: with its answer the connection ends');
}
{
  const w = await Wire.open(path);
  w.send(frame(TEXT, '{', { fin: false }));
  w.drop();
  const v = await Wire.open(path);
  v.send(frame(TEXT, 'x'.repeat(70), { claim: 70000 }).subarray(0, 40));
  v.drop();
  await alive(await Wire.open(path), '7.1.5: peers that vanish midway harm nobody');
}

// ---- what breaks a connection, wherever it comes ----

await ends('5.1: a frame without a mask', 1002, frame(TEXT, ask('bare'), { mask: null }));
await ends('5.1: a control frame without one', 1002, frame(PING, 'x', { mask: null }));
await ends('5.1: a close without one', 1002, frame(CLOSE, Buffer.from([3, 232]), { mask: null }));
await ends('5.2: a length of 16 bits that 7 are enough for', 1002, frame(TEXT, 'x'.repeat(125), { length: 16 }));
await ends('5.2: one of 64 bits that 7 are enough for', 1002, frame(TEXT, 'x', { length: 64 }));
await ends('5.2: one of 64 bits that 16 are enough for', 1002, frame(TEXT, 'x'.repeat(65535), { length: 64 }));
await ends('5.2: a length with its highest bit set', 1002, frame(TEXT, 'x', { claim: 2n ** 63n }));
for (const [name, opcode] of [['ping', PING], ['pong', PONG], ['close', CLOSE]]) {
  await ends(`5.5: a ${name} of 126 bytes`, 1002, frame(opcode, Buffer.alloc(126)));
}
for (const n of [2, 100]) {
  const pings = Array.from({ length: n }, (_, i) => `${i}`);
  const w = await Wire.open(path);
  w.send(Buffer.concat(pings.map((p) => frame(PING, p))));
  const got = [];
  for (let i = 0; i < n; i += 1) got.push(await w.next());
  ok(got.every((f, i) => f?.first === (0x80 | PONG) && String(f.data) === pings[i]), `5.5.3: ${n} pings that come at once are all answered, in order`);
  await alive(w, '5.5.3: and the connection stays');
}
{
  const w = await Wire.open(path);
  w.send(Buffer.concat([frame(PING, 'a'), frame(TEXT, ask('p')), frame(PING, 'b'), closing(1000)]));
  const got = [];
  for (let f = await w.next(); f; f = await w.next()) got.push(f.opcode === PONG ? `pong ${f.data}` : f.opcode);
  ok(got.filter((f) => f !== TEXT).join() === `pong a,pong b,${CLOSE}`, '5.5.3: pings before a close are answered before it', got.join());
}

{
  // Pings of one who does not read: they are taken, and the last is answered.
  const MANY = 40000;
  const w = await Wire.open(path);
  const id = (n) => String(n).padEnd(125);
  const all = Buffer.concat(Array.from({ length: MANY }, (_, n) => frame(PING, id(n))));
  w.socket.pause();
  const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${bridge.pid}/status`, 'utf8'))[1]);
  const before = rss();
  await new Promise((taken) => w.socket.write(all, taken));
  const grown = rss() - before;
  ok(grown < 4096, `5.5.3: ${MANY} pings of one who does not read are taken and cost nothing`, `${grown} kB`);
  w.socket.resume();
  const got = () => w.frames.map((f) => Number(f.data));
  await w.until('the last pong', () => got().at(-1) === MANY - 1);
  ok(got().every((n, i, pongs) => i === 0 || n > pongs[i - 1]), `5.5.3: he gets the pongs that found room, in order, and the last (${w.frames.length})`);
  ok(w.frames.length < MANY && w.frames.every((f) => f.first === (0x80 | PONG) && f.data.length === 125), '5.5.3: each is whole, and none waited but the last');
  w.frames = [];
  await alive(w, '5.5.3: and the connection stays');
}

// ---- more than may wait ----

for (const [what, pieces] of [['in one piece', 1], ['in 100 pieces', 100]]) {
  const MANY = 3000;
  const w = await Wire.open(path);
  const bytes = Buffer.concat(Array.from({ length: MANY }, (_, n) => frame(TEXT, ask(`${n}`))));
  const size = Math.ceil(bytes.length / pieces);
  for (let at = 0; at < bytes.length; at += size) {
    w.send(bytes.subarray(at, at + size));
    if (pieces > 1) await new Promise(setImmediate);
  }
  await w.until('the answers', () => w.frames.length >= MANY);
  is(w.frames.filter((f, n) => f.opcode === TEXT && JSON.parse(f.data).id === `${n}`).length, MANY, `${MANY} requests ${what} are all answered, in order`);
  w.frames = [];
  w.send(closing(1000));
  is(await w.closes(), 1000, 'then a close is');
}

// ---- size, binary ----

await ends('10.4: a message beyond 64 KiB', 1009, frame(TEXT, 'x'.repeat(65537)));
await ends('10.4: is refused by its length, before it comes', 1009, frame(TEXT, 'x'.repeat(2000), { claim: 2 ** 40 }));
await ends('10.4: and in fragments while they come', 1009, ...Array.from({ length: 9 }, (_, n) => frame(n ? CONTINUATION : TEXT, 'x'.repeat(8000), { fin: false })));
{
  const w = await Wire.open(path);
  w.send(frame(BINARY, Buffer.from([0xff, 0xfe, 0])));
  is(JSON.parse((await w.next()).data).error.code, 1, '5.6: a binary message is error 1, whatever it holds');
  w.send(frame(BINARY, 'x', { fin: false }), frame(CONTINUATION, Buffer.from([0xc3])));
  is(JSON.parse((await w.next()).data).error.code, 1, '5.6: in fragments as well');
  w.send(frame(BINARY, ''));
  is(JSON.parse((await w.next()).data).error.code, 1, '5.6: and an empty one');
  await alive(w, '5.6: the connection stays');
}

await end('bridge', 'impatient');
