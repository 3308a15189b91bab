// SPDX-License-Identifier: MIT
// Malformed messages and raw garbage against both programs: they live, an
// honest conversation goes on beside it, no sanitizer finds anything, memory
// stays flat. GARBAGE_SEED repeats a run, GARBAGE_COUNT is the number of
// messages. Half go over WebSocket, half over FastCGI.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { startRedis, startResponder, startBridge, Client, ok, is, end, work } from './lib.mjs';
import { Wire, frame, handshake, TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG } from './wire.mjs';

const seed = Number(process.env.GARBAGE_SEED ?? Math.floor(Math.random() * 2 ** 32)) >>> 0;
const COUNT = Number(process.env.GARBAGE_COUNT ?? 100000);
const RAW = Math.ceil(COUNT / 20); // raw connections to each program
const WIRES = 4;
const BATCH = 100;
console.log(`# GARBAGE_SEED=${seed} GARBAGE_COUNT=${COUNT}`);

// ---- chance (mulberry32) ----

let state = seed;
const random = () => {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};
// Several throw at once, in whatever order the sockets allow: each has a chance
// of its own, so that what it throws is the same in each run.
let throwers = 0;
function chance() {
  throwers += 1;
  let own = seed + throwers * 0x9e3779b9;
  return (make) => {
    state = own;
    const made = make();
    own = state;
    return made;
  };
}
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];

// ---- messages ----

const UUID = '11111111-2222-4333-8444-555555555555';
const FIELDS = {
  signIn: { username: 'garbage', password: 'wrong password', accessKey: `${UUID}.${'A'.repeat(43)}`, since: 'sys:abc:1' },
  signUp: { username: 'garbage', password: 'secret123' },
  signOut: { everywhere: true },
  users: { offset: 0, limit: 5, online: true, recipientUUID: UUID, channel: 'lobby' },
  channels: { offset: 0, limit: 5 },
  channelRead: { recipientUUID: UUID, channel: 'lobby', seq: 1 },
  password: { password: 'wrong password', newPassword: 'secret124' },
  channelJoin: { recipientUUID: '', channel: 'lobby', limit: 3, since: 'c:lobby:abc:1' },
  channelLeave: { recipientUUID: '', channel: 'lobby' },
  channelMessage: { recipientUUID: '', channel: 'lobby', message: 'hello', UUID },
  channelMessages: { recipientUUID: '', channel: 'lobby', before: 5, limit: 3 },
  events: { since: 'sys:abc:1', wait: 0 },
};
const TYPES = Object.keys(FIELDS);
const VALUES = [null, true, false, 0, -1, 1.5, 1e308, 2 ** 53, '', 'x', '\u0000', '\ud800', '‮', 'é😀', ' ', 'a  b', '../..', '{}', 'g', '*', '%s%n', "'\"\\", UUID.slice(1),
  UUID.toUpperCase(), '0', '-0', '99999999999999999999', '9'.repeat(400), 'a'.repeat(5000), [], {}, [[]], [1, 'x'], { a: { b: {} } }, ['sys:abc:1', 5]];

const anyType = () => {
  const type = pick(TYPES);
  return type === 'signOut' && below(20) ? 'users' : type;
};
const message = (type) => ({ type, id: pick(['7', undefined, 'x'.repeat(64), 'x'.repeat(65), 5, null]), [type]: { ...FIELDS[type] } });
const KINDS = [
  // one field of another type or value
  (type) => {
    const m = message(type);
    m[type][pick(Object.keys(m[type]))] = pick(VALUES);
    return JSON.stringify(m);
  },
  // the payload, the type, the id of another kind
  (type) => JSON.stringify({ ...message(type), [pick([type, 'type', 'id', 'sessionUUID', 'accessKey', 'userUUID'])]: pick(VALUES) }),
  // cut off
  (type) => {
    const text = JSON.stringify(message(type));
    return text.slice(0, below(text.length));
  },
  // some bytes changed, dropped, doubled
  (type) => {
    let bytes = Buffer.from(JSON.stringify(message(type)));
    for (let n = 1 + below(4); n > 0; n -= 1) {
      const at = below(bytes.length);
      const how = below(3);
      if (how === 0) bytes[at] = below(128);
      else bytes = Buffer.concat([bytes.subarray(0, at), how === 1 ? bytes.subarray(at) : Buffer.alloc(0), bytes.subarray(at + 1)]);
    }
    return bytes;
  },
  // deep
  (type) => {
    const n = 1 + below(3000);
    return `{"type":"${type}","${type}":${'['.repeat(n)}${below(2) ? ']'.repeat(n) : ''}}`;
  },
  (type) => `{"type":"${type}","${type}":${'{"a":'.repeat(20)}1${'}'.repeat(20)}}`,
  // names twice
  (type) => `{"type":"${type}","type":"${pick(TYPES)}","${type}":{"limit":1,"limit":"x"},"${type}":${pick(['1', '{}', 'null'])}}`,
  // huge numbers and numbers that are none
  (type) => `{"type":"${type}","${type}":{"${pick(Object.keys(FIELDS[type]))}":${pick(['1e999', '-1e999', '9'.repeat(500), '0x10', '01', '1.', '-', 'NaN', '18446744073709551616', '1e-999'])}}}`,
  // NUL, controls, escapes
  (type) => `{"type":"${type}","${type}":{"message":"${pick(['\0', '\u0001', '\\u0000', '\\ud800', '\\udc00\\ud800', '\\x', '\\', '\n', '\\u12'])}"}}`,
  // no object, or something behind
  (type) => pick(['', ' ', '[]', 'null', '"x"', '1', '{', '}', '{}{}', `{"type":"${type}"}x`, `{'type':'${type}'}`, '\ufeff{}', `{"type":"${type}"}/**/`, '{"type":"nope"}', '{"type":"__proto__"}']),
];
const LONG = (type) => `{"type":"${type}","${type}":{"message":"${'x'.repeat(16000 + below(49000))}"}}`;
const BAD_UTF8 = [[0x80], [0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]];
const badUtf8 = (type) => Buffer.concat([Buffer.from(`{"type":"${type}","id":"`), Buffer.from(pick(BAD_UTF8)), Buffer.from('"}')]);
const garbage = () => {
  const type = anyType();
  const dice = below(200);
  return dice === 0 ? LONG(type) : dice < 3 ? badUtf8(type) : pick(KINDS)(type);
};

const noise = (n) => Buffer.from(Array.from({ length: n }, () => below(256)));
/** Bytes changed, dropped, doubled, or the end cut off. */
const mutate = (bytes) => {
  let b = Buffer.from(bytes);
  for (let n = below(5); n > 0 && b.length > 0; n -= 1) {
    const at = below(b.length);
    const how = below(5);
    if (how < 2) b[at] = below(256);
    else if (how === 2) b[at] ^= 1 << below(8);
    else if (how === 3) b = b.subarray(0, at);
    else b = Buffer.concat([b.subarray(0, at), b.subarray(below(b.length))]);
  }
  return b;
};

// ---- FastCGI ----

const record = (type, content = Buffer.alloc(0), id = 1) => Buffer.concat([Buffer.from([1, type, id >> 8, id & 255, content.length >> 8, content.length & 255, 0, 0]), content]);
const size = (n) => Buffer.from(n < 128 ? [n] : [128 | (n >> 24), (n >> 16) & 255, (n >> 8) & 255, n & 255]);
const pair = (name, text) => Buffer.concat([size(name.length), size(Buffer.byteLength(text)), Buffer.from(name), Buffer.from(text)]);
const stream = (type, bytes) => {
  const parts = [];
  for (let at = 0; at < bytes.length; at += 60000) parts.push(record(type, bytes.subarray(at, at + 60000)));
  return Buffer.concat([...parts, record(type)]);
};
function request(params, body = '') {
  const bytes = Buffer.from(body);
  const all = { CONTENT_LENGTH: String(bytes.length), CONTENT_TYPE: 'application/json', REMOTE_ADDR: '192.0.2.1', ...params };
  return Buffer.concat([record(1, Buffer.from([0, 1, 1, 0, 0, 0, 0, 0])),
    stream(4, Buffer.concat(Object.entries(all).map(([k, v]) => pair(k, v)))), stream(5, bytes)]);
}
const query = (fields) => Object.entries(fields).map(([k, v]) => `${k}=${encodeURIComponent(String(v).toWellFormed?.() ?? 'x')}`).join(pick(['&', '&&', '=']));
const httpGarbage = (key) => {
  const type = anyType();
  const params = { REQUEST_METHOD: 'POST', SCRIPT_NAME: `/api/${type}`, HTTP_HOST: 'a.example' };
  if (below(2)) params.HTTP_AUTHORIZATION = `Bearer ${pick([key, key, key.slice(1), '', 'x'.repeat(3000)])}`;
  switch (below(12)) {
    case 0: return request({ ...params, [pick(Object.keys(params))]: pick(VALUES.filter((v) => typeof v === 'string' && v !== '\ud800')) }, garbage());
    case 1: return request({ ...params, CONTENT_LENGTH: pick(['-1', '0', '5', '99999999999999999999', 'x', '']) }, garbage());
    case 2: return request({ ...params, CONTENT_TYPE: pick(['', 'text/plain', 'application/jsonx', 'a'.repeat(2000)]) }, garbage());
    case 3: return request({ ...params, REQUEST_METHOD: 'GET', QUERY_STRING: query({ ...FIELDS[type], [pick(['limit', 'offset', 'since', 'accessKey'])]: pick(VALUES) }) });
    case 4: return request({ ...params, REQUEST_METHOD: 'GET', QUERY_STRING: pick(['%', '%0', '%zz', '%00', '%ff=%ff', '='.repeat(500), '&'.repeat(500), `a=${'x'.repeat(5000)}`]) });
    case 5: return request({ ...params, HTTP_ORIGIN: pick(['null', 'http://a.example', 'http://evil.example', 'x', 'a'.repeat(3000), 'http://a.example\r\nX: y']) }, garbage());
    default: return request(params, garbage());
  }
};

/** A connection of a web server that counts what is answered. */
class Web {
  #rest = Buffer.alloc(0);
  #wake = () => {};
  answered = 0;
  constructor() {
    this.socket = connect(`${work}/fcgi.sock`);
    this.socket.on('data', (d) => this.#take(d));
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
  }
  #take(d) {
    let b = Buffer.concat([this.#rest, d]);
    while (b.length >= 8) {
      const n = 8 + b.readUInt16BE(4) + b[6];
      if (b.length < n) break;
      if (b[1] === 6 && n > 8) this.text = (this.text ?? '') + b.subarray(8, n - b[6]);
      if (b[1] === 3) {
        this.answered += 1;
        this.last = this.text;
        this.text = '';
      }
      b = b.subarray(n);
    }
    this.#rest = b;
    this.#wake();
  }
  async ask(...requests) {
    const wanted = this.answered + requests.length;
    this.socket.write(Buffer.concat(requests));
    const timer = setTimeout(() => this.socket.destroy(), 30000);
    while (this.answered < wanted && !this.closed) {
      await new Promise((resolve) => {
        this.#wake = resolve;
      });
    }
    clearTimeout(timer);
    return this.answered >= wanted;
  }
}

// ---- the programs ----

const settings = {
  PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_REQUEST_RATE: '0', PALAVER_ADDRESS_CONNECTIONS: '0', PALAVER_HISTORY: '100', PALAVER_LOG_LEVEL: 'error',
  // What was freed must not pass for a leak.
  ASAN_OPTIONS: `detect_leaks=1:quarantine_size_mb=1:malloc_context_size=5:log_path=${work}/asan`,
};
await startRedis();
const children = { responder: await startResponder('fcgi', settings), bridge: await startBridge('bridge', settings) };
const rss = (name) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${children[name].pid}/status`))[1]);
const bridge = `${work}/bridge.sock`;

const honest = await Client.open(`ws+unix://${bridge}:/ws`);
const { authorized } = await honest.ask({ type: 'signIn', signIn: { username: 'honest', password: 'secret123' } }, 'authorized');
await honest.ask({ type: 'channelJoin', channelJoin: { channel: 'honest' } });
const web = new Web();
let said = 0;
let slowest = 0;
const talk = async () => {
  const since = Date.now();
  said += 1;
  honest.send({ type: 'channelMessage', id: `${said}`, channelMessage: { channel: 'honest', message: `m${said}` } });
  const got = await honest.next('channelMessage');
  if (got.channelMessage.Message !== `m${said}`) throw new Error(`the honest one heard ${got.channelMessage.Message}`);
  if (said % 5 === 0) {
    await web.ask(request({ REQUEST_METHOD: 'POST', SCRIPT_NAME: '/api/users', HTTP_AUTHORIZATION: `Bearer ${authorized.accessKey}` }, '{}'));
    if (!/^Status: 200/.test(web.last)) throw new Error(`over HTTP: ${web.last}`);
  }
  slowest = Math.max(slowest, Date.now() - since);
};

// Whom the garbage comes from. It signs itself out now and then.
const GARBAGE = { type: 'signIn', signIn: { username: 'garbage', password: 'another secret' } };
const signIn = frame(TEXT, JSON.stringify(GARBAGE));
const newKey = async (w) => {
  const asked = await w.ask(request({ REQUEST_METHOD: 'POST', SCRIPT_NAME: '/api/signIn' }, JSON.stringify(GARBAGE)));
  const key = /"accessKey":"([^"]*)"/.exec(w.last)?.[1];
  if (!asked || !key) throw new Error(`no key: ${w.last}`);
  return key;
};
const last = (w, id) => w.frames.some((f) => f.opcode === TEXT && f.data.includes(`"id":"${id}"`));

/** Frames with up to BATCH messages, at most most, the last one the first that closes. */
function batch(most) {
  const parts = [];
  parts.sent = 0;
  while (parts.sent < Math.min(BATCH, most)) {
    const bytes = Buffer.from(garbage());
    const cut = below(20) ? 0 : 1 + below(bytes.length);
    parts.sent += 1;
    if (cut) parts.push(frame(TEXT, bytes.subarray(0, cut), { fin: false, mask: [0, 0, 0, 0] }), frame(CONTINUATION, bytes.subarray(cut), { mask: [0, 0, 0, 0] }));
    else parts.push(frame(below(50) ? TEXT : BINARY, bytes, { mask: [0, 0, 0, 0] }));
    if (!bytes.equals(Buffer.from(String(bytes)))) break;
  }
  return parts;
}
/** count messages over WebSocket; those that close it are followed by another connection. */
async function overWebSocket(count) {
  const by = chance();
  let w = null;
  let sent = 0;
  let closed = 0;
  for (let n = 0; sent < count; n += 1) {
    if (!w || w.ended) {
      w = await Wire.open(bridge);
      if (n % 3) w.send(signIn);
    }
    const parts = by(() => batch(count - sent));
    sent += parts.sent;
    w.send(Buffer.concat(parts), frame(TEXT, `{"type":"nope","id":"end${n}"}`));
    await w.until('the end of a batch', () => last(w, `end${n}`) || w.frames.some((f) => f.opcode === CLOSE));
    if (w.frames.some((f) => f.opcode === CLOSE)) {
      closed += 1;
      w.drop();
      w.ended = true;
    }
    w.frames.length = 0;
  }
  w.drop();
  return closed;
}
async function overFastCgi(count) {
  const by = chance();
  let w = new Web();
  let broken = 0;
  for (let sent = 0; sent < count; sent += BATCH) {
    const key = await newKey(w);
    const all = by(() => Array.from({ length: Math.min(BATCH, count - sent) }, () => httpGarbage(key)));
    if (!await w.ask(...all)) {
      broken += 1;
      w = new Web();
    }
  }
  w.socket.destroy();
  return broken;
}
/** Bytes to a socket, whose end is waited for. */
const throwAt = (path, bytes) => new Promise((resolve) => {
  const s = connect(path);
  s.on('error', () => {});
  s.on('close', resolve);
  s.resume();
  s.end(bytes);
});
function rawGarbage(key) {
  const frames = Array.from({ length: 1 + below(6) }, () => frame(pick([TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG, below(16)]), pick([noise(below(200)), garbage()]).slice(0, 60000), {
    fin: below(4) > 0, rsv: below(20) ? 0 : below(8), mask: below(20) ? [1, 2, 3, 4] : null, length: pick([0, 0, 16, 64]) }));
  return {
    ws: below(5) ? Buffer.concat([Buffer.from(handshake()), mutate(Buffer.concat(frames))]) : mutate(Buffer.from(handshake())),
    fcgi: below(10) ? mutate(Buffer.concat([httpGarbage(key), httpGarbage(key)])) : noise(1 + below(400)),
  };
}
async function raw(count) {
  const by = chance();
  const w = new Web();
  const key = await newKey(w);
  w.socket.destroy();
  for (let n = 0; n < count; n += 1) {
    const { ws, fcgi } = by(() => rawGarbage(key));
    await Promise.all([throwAt(bridge, ws), throwAt(`${work}/fcgi.sock`, fcgi)]);
  }
}

const half = async () => {
  let over = false;
  const beside = (async () => {
    while (!over) {
      await talk();
      await new Promise((r) => setTimeout(r, 20));
    }
  })();
  const each = Math.ceil(COUNT / 4 / WIRES);
  const [closed, broken] = await Promise.all([
    Promise.all(Array.from({ length: WIRES }, () => overWebSocket(each))),
    Promise.all(Array.from({ length: WIRES }, () => overFastCgi(each))),
  ]);
  await Promise.all([raw(RAW / 4), raw(RAW / 4)]);
  over = true;
  await beside;
  const sum = (a) => a.reduce((x, y) => x + y, 0);
  return { closed: sum(closed), broken: sum(broken), memory: { bridge: rss('bridge'), responder: rss('responder') } };
};

const since = Date.now();
const first = await half();
const second = await half();
console.log(`# ${Date.now() - since} ms; the honest one asked ${said} times, ${slowest} ms at most; RSS in kB ${JSON.stringify([first.memory, second.memory])}`);
ok(first.closed + second.closed > 0, `${COUNT / 2} messages over WebSocket, ${first.closed + second.closed} of which closed it`);
is(first.broken + second.broken, 0, `${COUNT / 2} messages over FastCGI, each answered`);
ok(said > 10, `${said} honest requests beside them were answered`);
for (const name of ['bridge', 'responder']) {
  ok(second.memory[name] <= first.memory[name] * 1.1 + 8192, `the ${name}'s memory is flat`, `${first.memory[name]} kB, then ${second.memory[name]} kB`);
}
const health = new Wire(bridge, 'GET /health HTTP/1.1\r\nHost: b\r\n\r\n');
is(await health.answer(), 200, 'the bridge is healthy');
health.drop();
await web.ask(request({ REQUEST_METHOD: 'GET', SCRIPT_NAME: '/api/health' }));
ok(/^Status: 200/.test(web.last), 'the responder is healthy', web.last);
web.socket.destroy();
honest.ws.close();
await end('fcgi', 'bridge');
