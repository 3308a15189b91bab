// SPDX-License-Identifier: MIT
// HTTP's own rules (common/PROTOCOL.md, "HTTP"): methods, media types, header
// fields, keys, query parameters, origins, health.
import http from 'node:http';
import WebSocket from 'ws';
import { work, startRedis, startResponder, startBridge, startNginx, stop, ok, is, until, end } from './lib.mjs';

const TYPES = ['signIn', 'signUp', 'signOut', 'users', 'channelJoin', 'channelLeave', 'channelMessage', 'events', 'password', 'channels', 'channelMessages', 'channelRead'];
const GETS = ['users', 'channels', 'channelMessages', 'events'];
const JSON_TYPE = 'application/json';
await startRedis();
await startResponder('responder', { PALAVER_SIGN_IN_RATE: '0' });
await startBridge('bridge');
await startResponder('listed', { PALAVER_ORIGINS: 'http://a.example https://b.example:8443', PALAVER_SIGN_UP: 'off' });
await startBridge('listed-bridge', { PALAVER_ORIGINS: 'http://a.example https://b.example:8443' });
await startResponder('open', { PALAVER_ORIGINS: '*' });
await startBridge('open-bridge', { PALAVER_ORIGINS: '*', PALAVER_MAX_CONNECTIONS: '1' });
const url = await startNginx(['responder'], ['bridge']);
const listed = await startNginx(['listed'], ['listed-bridge'], 'listed-nginx');
const open = await startNginx(['open'], ['open-bridge'], 'open-nginx');
const own = url.replace('http://', '');

const same = (got, wanted, what) => is(JSON.stringify(got), JSON.stringify(wanted), what);

/** One request as it is: nothing is added but Host and the body's length. */
let asked = 0;
let stored = 0;
function ask(method, path, headers = {}, body = '', at = url) {
  return new Promise((resolve, reject) => {
    const r = http.request((at.startsWith('/') ? 'http://bridge' : at) + path, { method, ...(at.startsWith('/') ? { socketPath: at } : {}), headers: { ...headers, ...(body ? { 'Content-Length': Buffer.byteLength(body) } : {}) } }, (m) => {
      let text = '';
      m.on('data', (d) => { text += d; });
      m.on('end', () => {
        asked += 1;
        if (m.headers['cache-control'] === 'no-store') stored += 1;
        let json;
        try {
          json = JSON.parse(text);
        } catch { /* it is none */ }
        resolve({ status: m.statusCode, headers: m.headers, text, ...json });
      });
    });
    r.on('error', reject);
    r.end(body);
  });
}
const post = (type, message, headers = {}, at = url) => ask('POST', `/api/${type}`, { 'Content-Type': JSON_TYPE, ...headers }, typeof message === 'string' ? message : JSON.stringify(message), at);
const code = (r) => `${r.status} ${r.error?.code ?? r.type ?? ''} ${r.error?.payload ?? ''}`.trim();

const ann = (await post('signIn', { signIn: { username: 'ann', password: 'correct horse' } })).authorized;
const bob = (await post('signUp', { signUp: { username: 'bob', password: 'battery staple' } })).authorized;
const key = { Authorization: `Bearer ${ann.accessKey}` };

// ---- methods ----

const allow = (type) => (GETS.includes(type) ? 'GET, HEAD, POST, OPTIONS' : 'POST, OPTIONS');
for (const type of TYPES) {
  for (const method of ['PUT', 'DELETE', 'PATCH', ...(GETS.includes(type) ? [] : ['GET', 'HEAD'])]) {
    const r = await ask(method, `/api/${type}`, key);
    ok(r.status === 405 && r.headers.allow === allow(type) && (method === 'HEAD' ? r.text === '' : code(r) === '405 11'), `${method} of ${type} is error 11 and says what is allowed`, JSON.stringify(r));
  }
  const r = await ask('OPTIONS', `/api/${type}`);
  same([r.status, r.text, r.headers.allow], [204, '', allow(type)], `OPTIONS of ${type}`);
}
for (const method of ['POST', 'PUT']) same([code(await ask(method, '/api/health'))], ['405 11'], `${method} of health is error 11`);
is((await ask('POST', '/api/health')).headers.allow, 'GET, HEAD, OPTIONS', 'and says what is allowed');
for (const path of ['/api/users', '/api/users?limit=1', '/api/health', '/api/nosuch']) {
  const get = await ask('GET', path, key);
  const head = await ask('HEAD', path, key);
  same([head.status, head.text, head.headers['content-length']], [get.status, '', get.headers['content-length']], `HEAD of ${path} is its GET without the body`);
}
is(code(await ask('GET', '/api/nosuch')), '404 2', 'an unknown type is error 2');
is(code(await post('nosuch', {})), '404 2', 'by POST as well');
is(code(await post('Users', {}, key)), '404 2', 'types are spelled as they are');

// ---- type and id in the body ----

is(code(await post('users', {}, key)), '200 users', 'type may be left out');
is(code(await post('users', { type: 'users' }, key)), '200 users', 'may stand there');
is(code(await post('users', { type: 'signOut' }, key)), '400 1 type', 'and must agree');
is(code(await post('users', { type: 7 }, key)), '400 1', 'as a string');
is(code(await post('users', { type: 'users', users: 'x' }, key)), '400 3 users', 'a payload of a wrong kind');
is((await post('users?limit=0&x=%zz', {}, key)).users.received, 2, 'what stands in the URL of a POST is not its payload');
is((await post('users', { id: 'é"7', users: { limit: 0 } }, key)).id, 'é"7', 'an id comes back');
is((await post('users', { id: '8', users: { limit: -1 } }, key)).id, '8', 'on an error, too');
for (const [id, wanted] of [['x'.repeat(64), '200 users'], ['x'.repeat(65), '400 1'], [7, '400 1']]) is(code(await post('users', { id }, key)), wanted, `an id of ${JSON.stringify(id).length} bytes of JSON is ${wanted}`);
for (const body of ['', '{', '[]', '7', '"x"', 'null', '{}{}', '\u0000']) is(code(await post('users', body, key)), '400 1', `the body ${JSON.stringify(body)} is error 1`);
is(code(await post('users', `${' '.repeat(65535)}{}`, key)), '413 8', 'a body of 65537 bytes is error 8');
is(code(await post('users', `${' '.repeat(65534)}{}`, key)), '200 users', 'one of 65536 is not');

// ---- media types ----

for (const type of [JSON_TYPE, 'APPLICATION/JSON', 'application/json; charset=utf-8', 'application/json;charset="UTF-8"', 'application/json ; x=y']) {
  is(code(await post('users', {}, { ...key, 'Content-Type': type })), '200 users', `${type} is taken`);
}
for (const type of ['text/plain', 'application/jsonx', 'application/json-seq', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'json', 'application/ld+json']) {
  is(code(await post('users', {}, { ...key, 'Content-Type': type })), '415 12', `${type} is error 12`);
}
is(code(await ask('POST', '/api/users', key, '{}')), '415 12', 'none at all is error 12');
const fields = (await ask('GET', '/api/users', key)).headers;
same([fields['content-type'], fields['x-content-type-options']], ['application/json; charset=utf-8', 'nosniff'], 'a reply says what it is');

// ---- keys ----

const me = (headers, body = {}) => post('channelMessage', { ...body, channelMessage: { message: 'it is me' } }, headers).then((r) => r.channelMessage?.Sender.Username ?? code(r));
for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) is(await me({ Authorization: `${scheme} ${ann.accessKey}` }), 'ann', `Authorization: ${scheme}`);
is(await me({ Authorization: `Bearer   ${ann.accessKey}` }), 'ann', 'more than one blank');
is(await me({}, { accessKey: ann.accessKey }), 'ann', 'accessKey in the body');
is(await me({}, { userAccessKey: ann.accessKey }), 'ann', 'by its other name');
is(await me({}, { accessKey: '', userAccessKey: ann.accessKey }), 'ann', 'an empty one is none');
is(await me(key, { accessKey: bob.accessKey }), 'ann', 'the header goes first');
is(await me({ Authorization: 'Basic YTpi' }, { accessKey: bob.accessKey }), 'bob', 'another scheme is not ours');
is(await me(key, { userUUID: bob.userUUID }), 'ann', 'userUUID does not decide');
const broken = [{}, { Authorization: 'Bearer' }, { Authorization: 'Bearer x' }, { Authorization: `Bearer ${ann.accessKey}x` }, { Authorization: `Bearer ${ann.accessKey.slice(0, -1)}${ann.accessKey.endsWith('A') ? 'Q' : 'A'}` },
  { Authorization: `Bearer ${bob.userUUID}${ann.accessKey.slice(36)}` }, { Authorization: ann.accessKey }];
for (const headers of broken) {
  const r = await post('users', {}, headers);
  same([code(r), r.headers['www-authenticate']], ['401 4', 'Bearer'], `${(headers.Authorization ?? 'no key').slice(0, 20)} is error 4`);
}
for (const wrong of [7, {}, 'x', null]) is(code(await post('users', { accessKey: wrong })), '401 4', `accessKey ${JSON.stringify(wrong)} is error 4`);
for (const path of [`/api/users?accessKey=${ann.accessKey}`, `/api/users?userAccessKey=${ann.accessKey}`, `/api/users?limit=1&access%4Bey=${ann.accessKey}`, '/api/users?accessKey', '/api/users?accessKey=']) {
  is(code(await ask('GET', path, key)), '400 3 accessKey', `GET ${path.slice(0, 40)} is refused`);
  is(code(await ask('POST', path, { ...key, 'Content-Type': JSON_TYPE }, '{}')), '400 3 accessKey', 'POST as well');
}
is(code(await ask('GET', `/api/health?accessKey=${ann.accessKey}`)), '400 3 accessKey', 'so is one beside health');
is(code(await post('signIn', {}, key)), '200 authorized', 'signIn without a name resumes by the key that came');
is(code(await post('signIn', { accessKey: ann.accessKey })), '200 authorized', 'in the body as well');
is(code(await post('signIn', { signIn: { username: 'ann', password: 'correct horse' } }, { Authorization: 'Bearer of-somebody-else' })), '200 authorized', 'a sign-in by password minds no other key');

// ---- sessions ----

const session = (more) => post('channelJoin', more, key);
is(code(await session({ sessionUUID: ann.sessionUUID })), '200 channelJoin', 'sessionUUID names the session');
is(code(await session({ SUUID: ann.sessionUUID.toUpperCase() })), '200 channelJoin', 'SUUID as well');
is(code(await session({ sessionUUID: '', SUUID: ann.sessionUUID })), '200 channelJoin', 'an empty one is none');
is(code(await session({})), '400 3 sessionUUID', 'without one there is no joining');
is(code(await session({ sessionUUID: 'x' })), '400 3 sessionUUID', 'nor with what is none');
is(code(await session({ sessionUUID: 7 })), '400 3 sessionUUID', 'or is of another kind');
is(code(await session({ sessionUUID: '123e4567-e89b-42d3-a456-426614174000' })), '401 4 sessionUUID', 'an unknown one is error 4');
is(code(await session({ sessionUUID: bob.sessionUUID })), '403 10 sessionUUID', "another's is error 10");
is(code(await post('signOut', { sessionUUID: bob.sessionUUID }, key)), '403 10 sessionUUID', 'for signOut, too');
is(code(await ask('GET', '/api/users', key)), '200 users', 'which then did not happen');

// ---- closed sign-up ----

for (const [username, wanted] of [['ann', '403 10 signUp'], ['nobody-yet', '403 10 signUp']]) {
  is(code(await post('signUp', { signUp: { username, password: 'correct horse' } }, {}, listed)), wanted, `sign_up = off: signUp of ${username} is error 10, and tells nothing`);
}
is(code(await post('signIn', { signIn: { username: 'nobody-yet', password: 'correct horse' } }, {}, listed)), '403 5', 'signIn of a free name is answered like a wrong password');
is(code(await post('signIn', { signIn: { username: 'ann', password: 'correct horse' } }, {}, listed)), '200 authorized', 'who is there signs in');

// ---- query parameters ----

const users = async (query) => {
  const r = await ask('GET', `/api/users${query}`, key);
  return r.users ? r.users.users.map((u) => u.Username).join(' ') : code(r);
};
for (const [query, wanted] of [['', 'ann bob'], ['?', 'ann bob'], ['?limit=1', 'ann'], ['?offset=1', 'bob'], ['?limit=1&offset=1', 'bob'], ['?limit=%31', 'ann'], ['?l%69mit=1', 'ann'],
  ['?limit=2&limit=1', 'ann'], ['?&&limit=1&', 'ann'], ['?online=true', 'ann bob'], ['?online=0&limit=1', 'ann'], ['?what=x&x', 'ann bob'], ['?sessionUUID=x&id=7', 'ann bob'],
  ['?limit=+1', '400 3 limit'], ['?limit=x', '400 3 limit'], ['?limit=-1', '400 3 limit'], ['?limit=1001', '400 3 limit'], ['?online=perhaps', '400 3 online'],
  ['?limit=%3', '400 3 query'], ['?limit=%zz', '400 3 query'], ['?limit=%00', '400 3 query'], ['?x=%ff', '400 3 query'], [`?x=${'x'.repeat(1025)}`, '400 3 query'], [`?${'x'.repeat(1025)}=1`, '400 3 query']]) {
  is(await users(query), wanted, `users${query.slice(0, 40)}`);
}

// ---- origins ----

const shake = (at, origin, host) => new Promise((resolve) => {
  const w = new WebSocket(`${at.replace('http', 'ws')}/ws`, { headers: { ...(origin === undefined ? {} : { Origin: origin }), ...(host ? { Host: host } : {}) } });
  w.on('open', () => w.once('close', () => resolve(101)).close());
  w.on('unexpected-response', (_, r) => {
    resolve(r.statusCode);
    w.terminate();
  });
  w.on('error', () => {});
});
const origins = [
  [url, undefined, true], [url, url, true], [url, url.toUpperCase(), true], [url, `https://${own}`, true],
  [url, 'http://evil.example', false], [url, `http://evil.example:${own.split(':')[1]}`, false], [url, 'http://127.0.0.1', false], [url, `http://${own}.evil.example`, false],
  [url, 'null', false], [url, own, false], [url, `http://${own}/`, false],
  [listed, undefined, true], [listed, 'http://a.example', true], [listed, 'https://b.example:8443', true], [listed, 'http://A.Example', true],
  [listed, 'https://a.example', false], [listed, 'https://b.example', false], [listed, listed, false], [listed, 'null', false],
  [open, undefined, true], [open, 'http://anyone.example', true], [open, 'null', true],
];
for (const [at, origin, good] of origins) {
  const sort = { [url]: 'its own host', [listed]: 'a list', [open]: '*' }[at];
  const what = `origins = ${sort}, Origin: ${origin?.replace(own, 'HOST') ?? 'none'}`;
  const headers = origin === undefined ? {} : { Origin: origin };
  is(code(await post('users', {}, headers, at)), good ? '401 4' : '403 10 origin', `${what}: a request`);
  is((await ask('OPTIONS', '/api/users', { ...headers, 'Access-Control-Request-Method': 'POST' }, '', at)).status, good ? 204 : 403, 'a preflight');
  is(await shake(at, origin), good ? 101 : 403, 'a handshake');
}
for (const [at, origin] of [[listed, 'http://a.example'], [open, 'http://anyone.example']]) {
  for (const r of [await post('users', {}, { Origin: origin }, at), await ask('GET', '/api/health', { Origin: origin }, '', at), await ask('OPTIONS', '/api/signIn', { Origin: origin }, '', at)]) {
    same([r.headers['access-control-allow-origin'], r.headers.vary, r.headers['access-control-expose-headers']], [origin, 'Origin', 'Retry-After'], `${r.status}: a page of ${origin} may read it`);
  }
}
const preflight = (await ask('OPTIONS', '/api/signIn', { Origin: 'http://a.example' }, '', listed)).headers;
same([preflight['access-control-allow-methods'], preflight['access-control-allow-headers'], preflight['access-control-max-age']], ['GET, POST', 'Authorization, Content-Type', '600'], 'what a page may send');
is((await post('users', {}, { Origin: 'http://evil.example' })).headers['access-control-allow-origin'], undefined, 'a foreign page may not read its refusal');
is((await post('users', {}, { Origin: url })).headers['access-control-allow-origin'], undefined, "the own page needs no leave");

// ---- room for connections ----

const one = new WebSocket(`${open.replace('http', 'ws')}/ws`);
await until('ready', () => one.readyState === 1);
const two = new WebSocket(`${open.replace('http', 'ws')}/ws`);
is(await new Promise((resolve) => two.on('unexpected-response', (_, m) => resolve(`${m.statusCode} ${m.headers['retry-after'] > 0}`)).on('error', () => {})), '503 true', 'one connection beyond max_connections is refused with 503 and Retry-After');
one.close();

// ---- health ----

const bridge = (path) => ask('GET', path, {}, '', `${work}/bridge.sock`);
for (const path of ['/health', '/some/where/health']) is((await bridge(path)).status, 200, `${path} of the bridge`);
is((await bridge('/else')).status, 404, 'the bridge has nothing else');
is((await bridge('/ws')).status, 426, 'nor a page at /ws');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const byHead = await new Promise((resolve) => http.request({ socketPath: `${work}/bridge.sock`, path: '/health', method: 'HEAD', agent }, (m) => m.on('end', () => resolve(m)).resume()).end());
same([byHead.statusCode, byHead.headers['content-length']], [200, '2'], 'HEAD of its health');
const after = await new Promise((resolve) => http.request({ socketPath: `${work}/bridge.sock`, path: '/health', agent }, (m) => m.on('data', (d) => resolve(String(d)))).end());
is(after, 'ok', 'and GET on the same connection');
agent.destroy();
is(code(await ask('GET', '/api/health')), '200 health', 'health of the responder');
await stop('redis');
const sick = await ask('GET', '/api/health');
same([code(sick), sick.error?.error], ['503 20 no connection to Redis', 'storage is away'], 'without Redis it says so');
const sickBridge = await until('the bridge to notice', async () => {
  const r = await bridge('/health');
  return r.status === 503 && r;
});
ok(/Redis/.test(sickBridge.text), "the bridge's says why", sickBridge.text);
for (const type of TYPES) {
  const r = await post(type, { sessionUUID: ann.sessionUUID, [type]: { username: 'ann', password: 'correct horse', newPassword: 'correct horse', message: 'x', seq: 1 } }, key);
  is(code(r), '503 20', `${type} is error 20`);
}
await startRedis();
await until('the responder', async () => (await ask('GET', '/api/health')).status === 200);
await until('the bridge', async () => (await bridge('/health')).status === 200);
ok(true, 'both are well again by themselves');
is(asked - stored, 0, `all ${asked} replies say no-store`);

await end('responder', 'bridge', 'listed', 'listed-bridge', 'open', 'open-bridge');
