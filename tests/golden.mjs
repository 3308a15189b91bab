// SPDX-License-Identifier: MIT
// Replays the examples of common/PROTOCOL.md, in its order, against both
// programs, Redis and nginx: the whole JSON is compared, no member may be
// missing or too much. How they are written stands in that file ("How to read
// the examples"). Also: the document has what the program has, row by row.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import http from 'node:http';
import { top, work, startRedis, startResponder, startBridge, startNginx, stop, post, Client, ok, is, until, end } from './lib.mjs';

const text = readFileSync(`${top}/common/PROTOCOL.md`, 'utf8');
const source = (name) => readFileSync(`${top}/common/${name}`, 'utf8');

// ---- reading the document ----

/** The examples: an array of steps each, {line, who, arrow, head, rest}. */
function examples(document) {
  const found = [];
  let fence = null;
  document.split('\n').forEach((line, at) => {
    if (line.startsWith('```')) {
      if (fence) fence = null;
      else if (line === '```') found.push(fence = []);
      else fence = [];
    } else if (fence && /^\s/.test(line)) {
      fence.at(-1).rest.push(line.trim());
    } else if (fence && line !== '') {
      const m = /^(?:(\w+) )?(>>>|<<<|<~~) (.*)$/.exec(line);
      fence.push(m ? { line: at + 1, who: m[1], arrow: m[2], head: m[3], rest: [] } : { line: at + 1, stage: line, rest: [] });
    }
  });
  return found;
}

// ---- what differs in each run ----

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const shapes = {
  key: /^[0-9a-f-]{36}\.[\w-]{43}$/,
  time: /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/,
  cursor: /^\S+$/,
  until: /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
  seconds: /^[1-9]\d*$/,
};
const bound = new Map();
const fill = (s) => s.replace(/\$([a-z][\w.]*\w|[a-z])/g, (all, name) => bound.get(name) ?? all);

/** '' when got is what the example says, else what differs. */
function differs(got, wanted, at = '') {
  if (at === '.sys.users.total') return Number.isInteger(got) ? '' : `${at} is ${got}`; // as of some seconds ago
  if (typeof wanted === 'string' && typeof got === 'string') {
    if (wanted === '…') return got ? '' : `${at} is empty`;
    if (!wanted.startsWith('$')) return got === wanted ? '' : `${at} is ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`;
    const name = wanted.slice(1);
    if (bound.has(name)) return bound.get(name) === got ? '' : `${at} is ${got}, but $${name} was ${bound.get(name)}`;
    if (!(shapes[name.split('.')[1]] ?? UUID).test(got)) return `${at} is ${got}, which is no $${name}`;
    for (const [other, value] of bound) if (value === got && !/time|until|seconds|cursor/.test(other)) return `${at} is $${other}, not $${name}`;
    bound.set(name, got);
    return '';
  }
  if (got === null || wanted === null || typeof got !== 'object' || typeof wanted !== 'object' || Array.isArray(got) !== Array.isArray(wanted)) {
    return got === wanted ? '' : `${at} is ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`;
  }
  // Who is in a channel: those on line first, in no order besides.
  if (at === '.channelJoin.users') got = wanted.map((w) => got.find((g) => g.UUID === bound.get(w.UUID?.slice(1)))).concat(got.slice(wanted.length));
  for (const name of Object.keys(got)) if (!Object.hasOwn(wanted, name)) return `${at}.${name} is too much: ${JSON.stringify(got[name])}`;
  for (const name of Object.keys(wanted)) if (!Object.hasOwn(got, name)) return `${at}.${name} is missing in ${JSON.stringify(got)}`;
  for (const name of Object.keys(wanted)) {
    const found = differs(got[name], wanted[name], `${at}.${name}`);
    if (found) return found;
  }
  return '';
}

/** A body as the example writes it: JSON, or (N bytes). */
function body(lines) {
  const s = fill(lines.join(' '));
  const size = /^\((\d+) bytes\)$/.exec(s);
  if (size) return 'x'.repeat(Number(size[1]));
  if (s.startsWith('{')) JSON.parse(s); // the document must not have typing errors
  return s;
}

// ---- replaying ----

const redis = () => startRedis('--appendonly', 'yes');
await redis();
await startResponder('responder');
await startBridge('bridge', { PALAVER_NOTICE_RATE: '10/1' }); // which a slow machine exceeds as well
const url = await startNginx(['responder'], ['bridge']);
const cli = (...command) => execFileSync('redis-cli', ['-s', `${work}/redis.sock`, ...command], { encoding: 'utf8' }).trim();
const SCHEMA = 'palaver:{sys}:schema';
let schema;
const clients = new Map();
const shown = new Set();
let request = null; // of HTTP: the last one, and what came back
let reply = null;

function ask({ method, path, headers, text: sent }) {
  return new Promise((resolve, reject) => {
    const r = http.request(url + path, { method, headers: { ...(sent ? { 'Content-Type': 'application/json' } : {}), ...headers } }, (m) => {
      let got = '';
      m.on('data', (d) => { got += d; });
      m.on('end', () => resolve({ status: m.statusCode, headers: m.headers, text: got }));
    });
    r.on('error', reject);
    r.end(sent);
  });
}

const headers = (lines) => Object.fromEntries(lines.map((l) => /^([\w-]+): (.*)$/.exec(l)).filter(Boolean).map((m) => [m[1], fill(m[2])]));
const contents = (lines) => lines.filter((l) => !/^[\w-]+: /.test(l));

async function sends(step) {
  const [method, path] = step.head.split(' ');
  request = { method, path: fill(path), headers: headers(step.rest), text: body(contents(step.rest)) };
  const host = new URL(url).host;
  for (const [name, value] of Object.entries(request.headers)) request.headers[name] = value.replace('chat.example.org', host);
  if (/^\/api\/\w+/.test(path)) shown.add(`HTTP ${path.slice(5).split('?')[0]}`);
  reply = ask(request); // awaited with its answer: others may act meanwhile
  reply.catch(() => {});
}

function answers(step, got) {
  const wanted = contents(step.rest).join(' ');
  let found = got.status === Number(step.head) ? '' : `the status is ${got.status}`;
  for (const [name, value] of Object.entries(headers(step.rest))) {
    found ||= differs(got.headers[name.toLowerCase()] ?? null, value, name);
  }
  if (got.headers['cache-control'] !== 'no-store') found ||= 'it may be stored';
  found ||= wanted ? differs(JSON.parse(got.text), JSON.parse(wanted)) : got.text && `a body: ${got.text}`;
  if (wanted && JSON.parse(wanted).error) shown.add(`error ${JSON.parse(wanted).error.code} ${step.head}`);
  return found;
}

/** Waits for the frame that the step wants; of the next `most` that are not taken. */
async function gets(step, most) {
  const c = clients.get(step.who);
  const close = /^close (\d+) "(.*)"$/.exec(step.head);
  if (close) {
    await until('a close', () => c.code);
    shown.add(`close ${close[1]}`);
    if (c.left.length) return `before it came ${JSON.stringify(c.left)}`;
    return c.code === Number(close[1]) ? differs(c.reason, close[2], 'the reason') : `the code is ${c.code}`;
  }
  const wanted = JSON.parse([step.head, ...step.rest].join(' '));
  shown.add(`WebSocket ${wanted.type}`);
  if (wanted.error) shown.add(`error ${wanted.error.code}`);
  if (wanted.sys) shown.add(`sys ${wanted.sys.type}`);
  let found;
  await until(`line ${step.line}`, () => {
    for (let i = 0; i < Math.min(most, c.left.length); i += 1) {
      const before = new Map(bound);
      const d = differs(c.left[i], wanted);
      if (!d) {
        c.left.splice(i, 1);
        found = '';
        return true;
      }
      bound.clear();
      before.forEach((v, k) => bound.set(k, v));
      found ??= d;
    }
    return c.left.length >= most;
  }).catch((e) => { found ??= e.message; });
  if (found) c.left.shift();
  return found ?? 'nothing came';
}

async function repeat(times) {
  const first = await reply;
  for (let i = 0; i < times; i += 1) {
    const next = await ask(request);
    if (next.status !== first.status || next.text !== first.text) return `time ${i + 2} gave ${next.status} ${next.text}`;
  }
  return '';
}

const stages = [
  [/^(\w+) opens a WebSocket$/, async (name) => {
    const c = await Client.open(`${url.replace('http', 'ws')}/ws`);
    c.left = c.frames; // those that no step has taken
    clients.set(name, c);
  }],
  [/^(\w+) closes$/, async (name) => {
    const c = clients.get(name);
    clients.delete(name);
    c.ws.close();
    await until('the close', () => c.code);
  }],
  [/^\((\d+) times more\)$/, (n) => repeat(Number(n))],
  [/^\(Redis is away\)$/, () => stop('redis')],
  [/^\(Redis is back\)$/, async () => {
    await redis();
    await until('the programs', async () => (await ask({ method: 'GET', path: '/api/health' })).status === 200);
  }],
  [/^\(Redis loses the general channel\)$/, () => {
    cli('DEL', 'palaver:{g}:m', 'palaver:{g}:l');
    cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
  }],
  [/^\(the responder comes back (?:with (\w+) = (\d+)|as it was)\)$/, async (name, value) => {
    await stop('responder');
    await startResponder('responder', name ? { [`PALAVER_${name.toUpperCase()}`]: value } : {});
    await until('the responder', async () => (await ask({ method: 'GET', path: '/api/health' })).status === 200);
  }],
  [/^\(it waits\)$/, async () => {
    await until('the poll to wait', () => cli('HGET', `palaver:{sys}:s:${JSON.parse(request.text).sessionUUID}`, 'w'));
  }],
  [/^\((a newer Palaver has written the data|the data is of this version again)\)$/, async (what) => {
    if (what.startsWith('a')) schema = cli('GET', SCHEMA);
    cli('SET', SCHEMA, what.startsWith('a') ? '99' : schema);
    cli('CLIENT', 'KILL', 'TYPE', 'normal');
    const wanted = what.startsWith('a') ? 503 : 200;
    const bridges = { socketPath: `${work}/bridge.sock`, path: '/health' };
    await until(`health ${wanted}`, async () => (await ask({ method: 'GET', path: '/api/health' })).status === wanted &&
      (await new Promise((resolve) => { http.get(bridges, (r) => resolve(r.resume().statusCode)); })) === wanted);
  }],
  [/^\((\d+) users sign up at once\)$/, async (n) => {
    await Promise.all(Array.from({ length: n }, (_, i) => post(url, 'signUp', { signUp: { username: `guest ${i}`, password: 'long enough' } })));
    const end = Date.now() + 2500;
    const tells = (f) => f.sys?.type === 'users';
    for (const c of clients.values()) {
      const had = c.left.filter(tells).length;
      await until('the notice', () => c.left.filter(tells).length > had || (had && Date.now() > end));
      c.left.splice(0, c.left.length, ...c.left.filter((f) => !f.sys?.signIn?.username.startsWith('guest') && !tells(f)), c.left.findLast(tells));
    }
  }],
  [/^\(the bridge is stopped\)$/, async () => is(await stop('bridge'), 0, 'the bridge ends well')],
];

async function plays(step) {
  if (step.stage) {
    const [pattern, act] = stages.find(([p]) => p.test(step.stage)) ?? [null, () => 'no such stage direction'];
    return (await act(...(pattern?.exec(step.stage).slice(1) ?? []))) || '';
  }
  if (!step.who) return step.arrow === '>>>' ? sends(step) : answers(step, await reply);
  if (step.arrow !== '>>>') {
    return gets(step, step.arrow === '<<<' ? 1 : step.among);
  }
  const sent = body([step.head, ...step.rest]);
  if (sent.startsWith('{') && sent.includes('"type"')) shown.add(`WebSocket ${JSON.parse(sent).type}`);
  const binary = sent === '(binary)';
  clients.get(step.who).ws.send(binary ? Buffer.from('{}') : sent, { binary });
  return '';
}

/** Frames that may come in any order: how many of them are neighbours. */
function group(steps) {
  for (let i = steps.length - 1, n = 0; i >= 0; i -= 1) {
    n = steps[i].arrow === '<~~' && (n === 0 || steps[i].who === steps[i + 1].who) ? n + 1 : Number(steps[i].arrow === '<~~');
    steps[i].among = n;
  }
}

const all = examples(text);
for (const steps of all) {
  group(steps);
  for (const step of steps) {
    const found = (await plays(step)) || '';
    if (step.arrow !== '>>>' || found) ok(!found, `line ${step.line}: ${step.stage ?? `${step.who ?? 'HTTP'} ${step.arrow} ${step.head.slice(0, 60)}`}`, found);
  }
  for (const [name, c] of clients) {
    if (c.code) continue;
    let back = false;
    c.ws.once('pong', () => { back = true; });
    c.ws.ping();
    await until('a pong', () => back || c.code);
    if (c.left.length) ok(false, `${name} gets no more than line ${steps.at(-1).line} says`, JSON.stringify(c.left));
    c.left.length = 0;
  }
}

// ---- the document has what the program has ----

const rows = text.split('\n').filter((l) => l.startsWith('| ')).map((l) => l.split('|').slice(1, -1).map((cell) => cell.trim()));
for (const name of readdirSync(`${top}/common`).filter((f) => /^op_.*\.c$/.test(f))) {
  for (const [, type] of source(name).matchAll(/^const struct op \w+ = \{ "(\w+)"/gm)) {
    ok(shown.has(`WebSocket ${type}`), `${type} has an example over WebSocket`);
    ok(shown.has(`HTTP ${type}`), `${type} has an example over HTTP`);
    ok(rows.some((r) => r[0].startsWith(`\`${type}\``)), `${type} has its row`);
  }
}
for (const [, code, status, meaning] of source('error.c').matchAll(/\{ (\d+), (\d+), "(.*)" \}/g)) {
  if (code === '0') continue;
  ok(rows.some((r) => r[0] === code && r[1] === status && r[2] === meaning), `error ${code} has its row`);
  if (!rows.some((r) => r[0] === code && r[3]?.includes('t_error'))) ok(shown.has(`error ${code} ${status}`), `error ${code} has an example`);
}
// A setting in the document has the value that it comes with, and all are in the sample and in the manual.
const sample = readFileSync(`${top}/conf/palaver.conf`, 'utf8');
const manual = readFileSync(`${top}/conf/palaver.conf.5`, 'utf8');
for (const [, name, preset] of source('conf_table.c').matchAll(/\{ "(\w+)", KIND_\w+, AT\(\w+\), "([^"]*)"/g)) {
  const row = rows.find((r) => r[0] === `\`${name}\`` && r.length === 3);
  if (row) is(row[1], preset, `${name} comes as ${preset}`);
  const said = manual.split('.It Cm ').find((part) => part.startsWith(`${name}\n`)) ?? '';
  ok(preset === '' || said.includes(`The default is\n.Li ${preset} `), `the manual has ${name}`);
  ok(new RegExp(`^#${name} =(?: ${preset.replace(/[.:/]/g, '\\$&')})?$`, 'm').test(sample), `and the sample ${name}`);
}
const bridge = readdirSync(`${top}/bridge`).filter((f) => f.endsWith('.c')).map((f) => readFileSync(`${top}/bridge/${f}`, 'utf8')).join('');
for (const [, name, code] of readFileSync(`${top}/bridge/ws.h`, 'utf8').matchAll(/^\t(WS_\w+) = (\d+)/gm)) {
  if (!bridge.includes(name)) continue;
  const row = rows.find((r) => r[0] === code && r.length === 4);
  ok(row, `close code ${code} has its row`);
  if (row?.[3] === 'example') ok(shown.has(`close ${code}`), `close code ${code} has an example`);
}

await end('responder');
