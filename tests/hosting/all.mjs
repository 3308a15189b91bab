// SPDX-License-Identifier: MIT
// One body of tests over every web server of conf/servers, its snippets as they
// stand: each once over http at / and once over https below /chat/. Prints a
// table of what it measured.
// usage: all.mjs [WORD]: only the set-ups that have it in their name
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import http2 from 'node:http2';
import WebSocket from 'ws';
import { ok, is, until, end, top } from '../lib.mjs';
import { SETUPS, bridgeWell, certificate, close, open, prepare, redis, responders, restartBridge } from '../lib-hosting.mjs';

const AT_ONCE = 3; // set-ups that are worked at the same time
const CONCURRENT = 200; // requests
const HELD = Number(process.env.HOSTING_HELD ?? 55); // s: the longest poll there is
const RESTARTS = 4;
const WAITING = 200; // WebSockets, or polls, at the server's default settings
const THREADS = 150; // of Apache, by default
const LARGE = '😀'.repeat(4096); // 16 KiB, the largest message
const PASSWORD = 'the right password';
const rows = new Map(SETUPS.map(({ name }) => [name, {}]));

/** Calls fn for each, AT_ONCE of them at a time. */
async function each(list, fn) {
  const rest = [...list];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let one = rest.shift(); one; one = rest.shift()) await fn(one);
  }));
}
const seconds = (since) => (Date.now() - since) / 1000;
/** Notes a measure of one of the two sites: "http/https". */
function note(site, column, value) {
  const row = rows.get(site.setup.name);
  row[column] = [...(row[column] ?? []), value];
}

// ---- the whole curl suite ----

/** Runs a script that asks the site by curl; its exit code and what it printed. */
async function script(site, ...command) {
  const out = [];
  const child = spawn('sh', command, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...(site.ca ? { CURL_CA_BUNDLE: site.setup.cert } : {}) } });
  child.stdout.on('data', (d) => out.push(d));
  child.stderr.on('data', (d) => out.push(d));
  const code = await new Promise((done) => child.on('close', done));
  return { code, text: out.join('') };
}
async function curl(site) {
  redis(site.setup, 'flushall');
  await until('it to be well', () => site.get('/api/health').then((r) => r.status === 200));
  const { code, text } = await script(site, `${top}/tests/curl.sh`, site.url, `${site.setup.dir}/redis.sock`);
  ok(code === 0 && !/^not ok/m.test(text), `${site.name}: the curl suite`, text.replace(/^ok .*\n/gm, '').replace(/\n/g, '\n# '));
  note(site, 'curl', (text.match(/^ok /gm) ?? []).length);
}

// ---- people ----

/** Somebody with a session over HTTP who has joined and seen all. */
async function person(site, name) {
  // Another process may still be away from Redis, which went and came back.
  const { authorized } = await until(`${site.name}: ${name}`, () => site.post('signIn', { signIn: { username: name, password: PASSWORD } }).then((r) => r.authorized && r));
  const p = { name, uuid: authorized.userUUID, key: authorized.accessKey, session: authorized.sessionUUID };
  p.say = (type, payload = {}, options = {}) => site.post(type, { accessKey: p.key, sessionUUID: p.session, [type]: payload }, options);
  p.cursor = (await p.say('channelJoin')).channelJoin.cursor;
  p.poll = async (wait, options) => {
    const r = await p.say('events', { wait, since: p.cursor }, options);
    if (r.events) p.cursor = r.events.cursor;
    return r;
  };
  p.park = async (wait, options) => {
    while ((await p.poll(0)).events.frames.length) { /* what there was */ }
    const reply = p.poll(wait, options);
    await until('a poll to wait', () => redis(site.setup, 'hget', `palaver:{sys}:s:${p.session}`, 'w'));
    return { reply };
  };
  return p;
}
const messages = (r) => (r.events?.frames ?? []).filter((f) => f.type === 'channelMessage').map((f) => f.channelMessage.Message);

// ---- the body, a part each ----

async function page(site) {
  const index = await site.get('/');
  is(`${index.status} ${/<title>[^<]*Palaver/.test(index.text)} ${index.headers['cache-control']}`, '200 true no-cache', `${site.name}: the page`);
  const script = await site.get('/palaver.js');
  is(`${script.status} ${script.headers['content-type'].split(';')[0]}`, '200 text/javascript', `${site.name}: its script`);
  if (site.url === site.origin) return;
  const without = await site.get('');
  is(`${without.status} ${without.headers.location?.replace(site.origin, '')}`, '301 /chat/', `${site.name}: without its slash`);
}

/** A WebSocket that is refused gives its status, else it is closed again. */
async function handshake(site, options) {
  const c = await site.socket(options);
  c.ws.close();
  return c.error ? Number(/\d{3}/.exec(c.error.message)?.[0]) : 101;
}
async function origins(site) {
  const preflight = (origin) => site.fetch('OPTIONS', '/api/users', undefined, { headers: { Origin: origin } }).then((r) => r.status);
  is(await preflight(site.origin), 204, `${site.name}: the page's own origin`);
  is(await preflight('https://evil.example'), 403, `${site.name}: a foreign one`);
  is(await handshake(site, { headers: { Origin: site.origin } }), 101, `${site.name}: the page's own origin, WebSocket`);
  is(await handshake(site, { headers: { Origin: 'https://evil.example' } }), 403, `${site.name}: a foreign one, WebSocket`);
}

async function conversation(site, ann) {
  const one = await site.socket();
  const two = await site.socket();
  await one.ask({ type: 'signIn', signIn: { accessKey: ann.key } }, 'authorized');
  await two.ask({ type: 'signIn', signIn: { username: 'wim', password: PASSWORD } }, 'authorized');
  await one.ask({ type: 'channelJoin', channelJoin: {} });
  await two.ask({ type: 'channelJoin', channelJoin: {} });
  one.send({ type: 'channelMessage', id: '1', channelMessage: { message: 'hello' } });
  is((await one.next('ack')).id, '1', `${site.name}: a message over WebSocket`);
  is((await two.next('channelMessage')).channelMessage.Message, 'hello', `${site.name}: reaches the other`);
  two.send({ type: 'channelMessage', channelMessage: { message: LARGE } });
  await one.next('channelMessage');
  ok((await one.next('channelMessage')).channelMessage.Message === LARGE, `${site.name}: 16 KiB over WebSocket`);
  const r = await ann.say('channelMessage', { message: LARGE });
  ok(r.status === 200 && r.channelMessage.Message === LARGE, `${site.name}: 16 KiB over HTTP`);
  await two.next('channelMessage');
  ok((await two.next('channelMessage')).channelMessage.Message === LARGE, `${site.name}: reaches a WebSocket`);
  await two.ask({ type: 'signOut' });
  two.ws.close();
  return one;
}

/** Where a browser is offered WebSockets over HTTP/2 (RFC 8441) it takes them. */
async function overHttp2(site) {
  const session = http2.connect(site.origin, { ca: site.ca });
  const [settings] = await once(session, 'remoteSettings');
  ok(settings.enableConnectProtocol, `${site.name}: HTTP/2 with WebSockets`);
  const stream = session.request({
    ':method': 'CONNECT', ':protocol': 'websocket', ':path': new URL(site.ws).pathname, 'sec-websocket-version': '13', origin: site.origin,
  });
  const [head] = await once(stream, 'response');
  const [first] = await once(stream, 'data');
  is(`${head[':status']} ${/"type":"(\w+)"/.exec(first)?.[1]}`, '200 ready', `${site.name}: a WebSocket over HTTP/2`);
  session.destroy();
}

async function woken(site, ann, bob) {
  const waiting = await bob.park(20);
  const began = Date.now();
  await ann.say('channelMessage', { message: 'wake' });
  is(messages(await waiting.reply).join(), 'wake', `${site.name}: a message wakes a poll`);
  note(site, 'woken ms', Date.now() - began);
}

async function leaves(site, ann, bob) {
  const gone = new AbortController();
  const waiting = await bob.park(20, { signal: gone.signal });
  gone.abort();
  await waiting.reply.catch(() => null);
  await ann.say('channelMessage', { message: 'who hears' });
  is(messages(await bob.poll(20)).join(), 'who hears', `${site.name}: who left a poll misses nothing`);
}

/** A body that comes in two pieces, and whoever else asks meanwhile. */
async function slowUpload(site, ann) {
  const body = JSON.stringify({ accessKey: ann.key, channelMessage: { message: 'slowly' } });
  const reply = new Promise((resolve, reject) => {
    const r = site.request('POST', '/api/channelMessage', { headers: { 'Content-Type': 'application/json', 'Content-Length': body.length } }, resolve);
    r.on('error', reject);
    r.write(body.slice(0, 20));
    (async () => {
      let slowest = 0;
      for (let n = 0; n < 10; n += 1) {
        const began = Date.now();
        await ann.say('users', { limit: 1 });
        slowest = Math.max(slowest, Date.now() - began);
      }
      note(site, 'others ms', slowest);
      r.end(body.slice(20));
    })();
  });
  const r = await reply;
  r.resume();
  is(r.statusCode, 200, `${site.name}: a slow upload`);
}

async function many(site, ann) {
  const began = Date.now();
  const all = await Promise.all(Array.from({ length: CONCURRENT }, () => ann.say('users', { limit: 1 }).catch((e) => ({ status: e.code }))));
  const bad = all.map((r) => r.status).filter((status) => status !== 200);
  is(bad.join(), '', `${site.name}: ${CONCURRENT} requests at once`);
  note(site, `${CONCURRENT} at once s`, seconds(began).toFixed(1));
}

/** The codes of wrong passwords for a name, from addresses; X-Forwarded-For says so. */
async function guesses(site, how, name, from, addresses) {
  const codes = [];
  for (const address of addresses) {
    const headers = { 'X-Forwarded-For': address };
    const signIn = { type: 'signIn', signIn: { username: name, password: 'a wrong one' } };
    if (how === 'HTTP') {
      codes.push((await site.post('signIn', signIn, { from, headers })).error.code);
    } else {
      const c = await site.socket({ from, headers });
      codes.push((await c.ask(signIn, 'error')).error.code);
      c.ws.close();
    }
  }
  return codes.join();
}
async function addresses(site) {
  for (const how of ['HTTP', 'WebSocket']) {
    const name = `${how}${site.secure ? 2 : 1}`;
    const { authorized } = await site.post('signUp', { signUp: { username: name, password: PASSWORD } });
    await site.post('signOut', { accessKey: authorized.accessKey, sessionUUID: authorized.sessionUUID });
    is(await guesses(site, how, name, undefined, ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2']), '5,5,5,9,5',
      `${site.name}: X-Forwarded-For of a proxy that is trusted, ${how}`);
    // Whoever else asks is whom the web server sees, whatever he writes.
    is(await guesses(site, how, name, '127.0.0.2', ['192.0.2.3', '192.0.2.4', '127.0.0.1', '192.0.2.5']), '5,5,5,9',
      `${site.name}: a forged one, ${how}`);
  }
}

/** Once all others are done: whoever comes or goes would end it. */
async function held(site) {
  const p = await person(site, 'hal');
  let longest = 0;
  while (longest < HELD) {
    const began = Date.now();
    const r = await p.poll(HELD);
    longest = Math.max(longest, seconds(began));
    if (r.status !== 200) break;
  }
  ok(longest >= HELD, `${site.name}: a poll is held ${HELD} s`, `${longest} s`);
  note(site, 'held s', Math.floor(longest));
}

async function doctor(site) {
  const { code, text } = await script(site, `${top}/conf/palaver-doctor`, '--wait', '2', `${site.url}/`);
  ok(code === 0 && /^all is well$/m.test(text), `${site.name}: palaver-doctor finds nothing`, text.replace(/\n/g, '\n# '));
}

async function body(site) {
  await until('the bridge', () => bridgeWell(site.setup)); // after Redis was away
  if (site.secure) await doctor(site);
  await page(site);
  await origins(site);
  const ann = await person(site, 'ann2');
  const bob = await person(site, 'bob2');
  is((await site.get('/api/users?limit=1', { headers: { Authorization: `Bearer ${ann.key}` } })).status, 200, `${site.name}: Authorization is passed`);
  const socket = await conversation(site, ann);
  if (site.secure && site.setup.server === 'lighttpd') await overHttp2(site);
  await woken(site, ann, bob);
  await leaves(site, ann, bob);
  await slowUpload(site, ann);
  await many(site, ann);
  await addresses(site);
  await bob.say('signOut');
  return { ann, socket };
}

// ---- a restart under load ----

async function restarts(s) {
  const [site] = s.sites;
  const ann = await person(site, 'ann2');
  let done = 0;
  let working = true;
  let last = Date.now();
  let away = 0;
  const bad = [];
  const load = Array.from({ length: 8 }, async () => {
    while (working) {
      const { status } = await ann.say('users', { limit: 1 }).catch((e) => ({ status: e.code }));
      if (status === 200) {
        done += 1;
        away = Math.max(away, Date.now() - last);
        last = Date.now();
      } else {
        bad.push(status);
        await new Promise((r) => setTimeout(r, 20));
      }
    }
  });
  const some = (n) => {
    const before = done;
    return until('load', () => done >= before + n, 60000);
  };
  const usual = responders(s).length;
  // Who starts them itself takes its time when all have ended: mod_fcgid up to a second for each of them.
  for (let n = 0; n < (s.holder === 'server' ? 1 : RESTARTS); n += 1) {
    await some(50);
    const old = responders(s);
    old.forEach((pid) => process.kill(pid, 'SIGTERM'));
    await until('others', () => responders(s).some((pid) => !old.includes(pid)), 60000);
  }
  await some(50);
  const measures = [`${bad.length} of ${done + bad.length}${bad.length ? `, away ${(away / 1000).toFixed(1)} s` : ''}`];
  // Those that lighttpd starts have a socket each: others answer meanwhile.
  if (s.holder === 'server' && s.server === 'lighttpd') {
    const all = () => responders(s).length === usual;
    await until('all of them', all, 60000);
    const before = { bad: bad.length, done };
    for (const pid of responders(s)) {
      process.kill(pid, 'SIGTERM');
      await until('another', () => !responders(s).includes(pid) && all(), 60000);
      await some(50);
    }
    const failed = bad.length - before.bad;
    measures.push(`in turn ${failed} of ${done - before.done + failed}`);
  }
  working = false;
  await Promise.all(load);
  await ann.say('signOut');
  rows.get(s.name).restart = [measures.join(', ')];
  if (s.holder !== 'server') is(bad.join(), '', `${s.name}: ${RESTARTS} restarts under load fail no request`);
}

// ---- how many wait at the server's default settings ----

/** What count() comes to: WAITING, or where it stays for 4 s: Apache starts a process a second. */
async function settled(count) {
  let last = -1;
  let since = Date.now();
  return until('as many as fit', async () => {
    const n = await count();
    if (n !== last) since = Date.now();
    last = n;
    return (n === WAITING || Date.now() - since > 4000) && { n };
  }).then(({ n }) => n);
}
async function sockets(site) {
  const all = Array.from({ length: WAITING }, () => new WebSocket(site.ws, { ca: site.ca }).on('error', () => {}));
  const n = await settled(() => all.filter((ws) => ws.readyState === ws.OPEN).length);
  all.forEach((ws) => ws.terminate());
  return n;
}
async function polls(site) {
  const ann = await person(site, 'ann3');
  const sessions = await Promise.all(Array.from({ length: WAITING }, async () => {
    const { authorized: a } = await site.post('signIn', { signIn: { accessKey: ann.key } });
    const poll = (wait) => site.post('events', { accessKey: ann.key, sessionUUID: a.sessionUUID, events: { since: a.cursor, wait } });
    for (let r = await poll(0); r.events; r = await poll(0)) {
      a.cursor = r.events.cursor;
      if (!r.events.frames.length) break;
    }
    return { uuid: a.sessionUUID, poll };
  }));
  const all = sessions.map(({ poll }) => poll(12).then((r) => r.status, (e) => e.code));
  const n = await settled(() => Number(redis(site.setup, 'eval', "local n = 0 for _, k in ipairs(KEYS) do n = n + redis.call('hexists', k, 'w') end return n",
    WAITING, ...sessions.map(({ uuid }) => `palaver:{sys}:s:${uuid}`))));
  // A note to herself is news to all of them; where no thread is left it waits as well.
  await ann.say('channelMessage', { recipientUUID: ann.uuid, message: 'wake' });
  const bad = (await Promise.all(all)).filter((status) => status !== 200);
  return { n, bad };
}
async function fits(s) {
  const [site] = s.sites;
  const row = rows.get(s.name);
  const good = (n) => (s.server === 'apache' ? n > THREADS / 2 && n <= THREADS : n === WAITING);
  const n = await sockets(site);
  ok(good(n), `${s.name}: WebSockets that it holds, of ${WAITING}`, n);
  row[`of ${WAITING} WebSockets`] = [n];
  if (s.slots) {
    row[`of ${WAITING} polls`] = [`poll_slots, ${s.slots}`];
    return;
  }
  const held = await polls(site);
  ok(good(held.n), `${s.name}: polls that it holds, of ${WAITING}`, held.n);
  is(held.bad.join(), '', `${s.name}: and the others have their turn`);
  row[`of ${WAITING} polls`] = [held.n];
}

// ---- the page on another host, and a bridge that was away ----

async function elsewhere(s) {
  const PAGE = 'https://www.example.org';
  const [site] = s.sites;
  const socket = (origin) => handshake(site, { headers: { Origin: origin } });
  const preflight = (origin) => site.fetch('OPTIONS', '/api/users', undefined, { headers: { Origin: origin } });
  await restartBridge(s, async () => {
    appendFileSync(`${s.dir}/palaver.conf`, `origins = ${PAGE}\n`);
    responders(s).forEach((pid) => process.kill(pid, 'SIGTERM'));
    ok(await socket(site.origin) >= 500, `${s.name}: a bridge that is down`);
  });
  await until('the bridge', () => bridgeWell(s), 60000);
  const began = Date.now();
  await until('its WebSockets', () => socket(PAGE).then((status) => status === 101));
  // A server that gives up a backend for a while would do so for 10 s, or 60.
  ok(seconds(began) < 8, `${s.name}: it is back when it runs again`, `${seconds(began)} s`);
  const { headers } = await until('the responder', () => preflight(PAGE).then((r) => r.status === 204 && r), 60000);
  is(headers['access-control-allow-origin'], PAGE, `${s.name}: a page on another host`);
  is((await preflight(site.origin)).status, 403, `${s.name}: is then the only one`);
  is(await socket(site.origin), 403, `${s.name}: by WebSocket as well`);
}

// ---- all of it ----

prepare();
const ca = certificate();
const setups = [];
for (const setup of SETUPS.filter(({ name }) => name.includes(process.argv[2] ?? ''))) {
  const s = await open(setup, setups.length, ca);
  for (const site of s.sites) site.name = `${s.name}, ${site.secure ? 'https' : 'http'}`;
  setups.push(s);
}
await each(setups, async (s) => {
  for (const site of s.sites) await curl(site);
  if (s.holder === 'none') rows.get(s.name).restart = ['no process stays'];
  else await restarts(s);
  s.open = [];
  for (const site of s.sites) s.open.push(await body(site));
  // Which takes its time, while others are worked.
  s.held = Promise.all(s.sites.map(held));
});
await each(setups, async (s) => {
  await s.held;
  for (const { ann, socket } of s.open) {
    await ann.say('channelMessage', { message: 'still there' });
    await until('it', () => socket.code || socket.raw.some((t) => t.includes('still there')), 60000);
    is(socket.code, 0, `${s.name}: a WebSocket that was silent for ${HELD} s is there`);
    socket.ws.close();
  }
  await fits(s);
  await elsewhere(s);
});
for (const s of setups) is(await close(s), '', `${s.name}: all ends well`);

const columns = [...new Set([...rows.values()].flatMap(Object.keys))];
const table = [['', ...columns], ...[...rows].filter(([, row]) => row.curl).map(([name, row]) => [name, ...columns.map((c) => (row[c] ?? []).join('/'))])];
const widths = table[0].map((_, i) => Math.max(...table.map((r) => r[i].length)));
for (const r of table) console.log(`# ${r.map((cell, i) => cell.padEnd(widths[i])).join('  ')}`);
await end();
