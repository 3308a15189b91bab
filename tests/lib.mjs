// SPDX-License-Identifier: MIT
// For the tests in JavaScript: real servers in a temporary directory, TAP.
import { spawn, execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, existsSync, writeFileSync, chmodSync } from 'node:fs';
import { createServer } from 'node:net';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';

export const top = dirname(dirname(fileURLToPath(import.meta.url)));
const build = process.env.PALAVER_BUILD;
export const work = mkdtempSync(join(tmpdir(), 'palaver-'));
chmodSync(work, 0o755);
const children = new Map();
let count = 0;
let bad = 0;

export function ok(good, what, detail = '') {
  count += 1;
  if (!good) bad += 1;
  console.log(`${good ? '' : 'not '}ok ${count} - ${what}`);
  if (!good && detail) console.log(`# ${detail}`);
}
export const is = (got, wanted, what) => ok(Object.is(got, wanted), what, `got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);

/** Until fn gives something true; what it gave. */
export async function until(what, fn, ms = 20000) {
  const end = Date.now() + ms;
  for (;;) {
    const got = await fn();
    if (got) return got;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((r) => setTimeout(r, 20));
  }
}

const ports = new Set();
/** A port of loopback that nobody listens at, another one each time. */
export function freePort() {
  return new Promise((resolve) => {
    const s = createServer().listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      const again = ports.has(port);
      ports.add(port);
      s.close(() => resolve(again ? freePort() : port));
    });
  });
}

export function start(name, command, args, env = {}) {
  const out = openSync(join(work, `${name}.log`), 'a');
  const child = spawn(command, args, {
    stdio: ['ignore', out, out],
    env: {
      ...process.env, PALAVER_REDIS: `unix:${work}/redis.sock`, PALAVER_PASSWORD_COST: 'minimal', PALAVER_SOCKET_MODE: '0666',
      PALAVER_SIGN_UP_RATE: '0', PALAVER_REQUEST_RATE: '0', // the tests are many people at one address
      ASAN_OPTIONS: `detect_leaks=1:log_path=${work}/asan`, ...env,
    },
  });
  children.set(name, child);
  return child;
}

const answers = (at, path) => new Promise((resolve) => {
  http.get({ ...at, path }, (r) => {
    r.resume();
    resolve(r.statusCode === 200);
  }).on('error', () => resolve(false));
});

export async function startRedis(...args) {
  start('redis', 'redis-server', ['--port', '0', '--unixsocket', `${work}/redis.sock`, '--save', '', '--dir', work, ...args]);
  await until('Redis', () => existsSync(`${work}/redis.sock`));
}
export async function startResponder(name, env) {
  const child = start(name, `${build}/fcgi/palaver.fcgi`, ['--listen', `unix:${work}/${name}.sock`], env);
  await until(name, () => existsSync(`${work}/${name}.sock`));
  return child;
}
/** At a unix socket, or at a port of loopback. healthy false: Redis may be away. */
export async function startBridge(name, env, port, healthy = true) {
  const at = port ? { port } : { socketPath: `${work}/${name}.sock` };
  const child = start(name, `${build}/bridge/palaver-bridge`, ['--listen', port ? `127.0.0.1:${port}` : `unix:${at.socketPath}`], env);
  await until(name, () => (healthy ? answers(at, '/health') : existsSync(at.socketPath)));
  return child;
}
/** Starts nginx in front of them; its URL. health: the status that it has then. page: its folder. */
export async function startNginx(responders, bridges, name = 'nginx', health = 200, page = `${top}/www`) {
  const port = await freePort();
  const path = (n) => `${work}/${n}.sock`;
  const dir = name === 'nginx' ? work : join(work, name);
  mkdirSync(dir, { recursive: true });
  writeFileSync(`${dir}/nginx.conf`, execFileSync('sh', [`${top}/conf/nginx-site`, dir, `127.0.0.1:${port}`, page,
    responders.map(path).join(' '), bridges.map(path).join(' ')]));
  start(name, 'nginx', ['-c', `${dir}/nginx.conf`, '-e', `${dir}/nginx.log`]);
  const url = `http://127.0.0.1:${port}`;
  await until('nginx', () => fetch(`${url}/api/health`).then((r) => r.status === health, () => false));
  return url;
}

/** Redis, a responder and two bridges, b1 and b2, behind nginx: its URL, and that of a bridge's WebSocket. */
export async function startTwoBridges(env) {
  await startRedis();
  await startResponder('responder', env);
  for (const b of ['b1', 'b2']) await startBridge(b, env);
  return { url: await startNginx(['responder'], ['b1', 'b2']), bridge: (n) => `ws+unix://${work}/b${n}.sock:/ws` };
}
/** What Redis answers, as text; redisLater: while the test goes on. */
export const redis = (...args) => execFileSync('redis-cli', ['-s', `${work}/redis.sock`, ...args], { encoding: 'utf8' }).trim();
export const redisLater = (...args) => new Promise((done) => {
  execFile('redis-cli', ['-s', `${work}/redis.sock`, ...args], (_, out) => done(String(out).trim()));
});

export async function post(url, type, body, headers) {
  const r = await fetch(`${url}/api/${type}`, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) });
  return { status: r.status, retryAfter: r.headers.get('retry-after'), ...(await r.json()) };
}

/** A WebSocket that keeps all its frames, parsed and as they came. */
export class Client {
  frames = [];
  raw = [];
  code = 0;
  #at = 0;
  static open(url, options) {
    const c = new Client();
    c.ws = new WebSocket(url, { perMessageDeflate: false, ...options });
    c.ws.on('message', (m) => {
      c.raw.push(String(m));
      c.frames.push(JSON.parse(m));
    });
    c.ws.on('close', (code, reason) => {
      c.code = code;
      c.reason = String(reason);
    });
    c.ws.on('error', (e) => {
      c.error = e;
    });
    return until('a connection', () => c.error || c.frames.length > 0).then(() => c);
  }
  send(frame) {
    this.ws.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }
  /** The next frame that is not taken yet and of that type (all before it are passed over). */
  async next(type) {
    return until(type, () => {
      for (; this.#at < this.frames.length; this.#at += 1) {
        if (this.frames[this.#at].type === type) return this.frames[this.#at++];
      }
      return null;
    });
  }
  /** Passes over all that came so far. */
  skip() {
    this.#at = this.frames.length;
  }
  async take() {
    await until('a frame', () => this.frames.length > this.#at);
    return this.frames[this.#at++];
  }
  async ask(frame, type) {
    this.send(frame);
    return this.next(type ?? frame.type);
  }
}

/** Sends a signal to a program, which goes on. */
export const signal = (name, what) => children.get(name).kill(what);

export function stop(name, signal = 'SIGTERM') {
  const child = children.get(name);
  children.delete(name);
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code));
    child.kill(signal);
  });
}

/** Ends the programs well, then the rest; prints the plan. */
export async function end(...names) {
  for (const name of names) is(await stop(name), 0, `${name} ends well`);
  const found = readdirSync(work).filter((f) => f.startsWith('asan')).map((f) => readFileSync(join(work, f), 'utf8')).join('\n');
  is(found.slice(0, 4000), '', 'the sanitizers found nothing');
  for (const name of [...children.keys()]) await stop(name);
  console.log(`1..${count}`);
  process.exit(bad ? 1 : 0);
}

process.on('exit', () => {
  for (const child of children.values()) child.kill('SIGTERM');
  rmSync(work, { recursive: true, force: true });
});
// Else we would end without that.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
for (const fatal of ['uncaughtException', 'unhandledRejection']) {
  process.on(fatal, (e) => {
    console.log(`not ok ${count + 1} - ${e.stack}`);
    for (const name of children.keys()) {
      try {
        console.log(`# ${name}: ${readFileSync(join(work, `${name}.log`), 'utf8').slice(-800).replace(/\n/g, '\n# ')}`);
      } catch { /* it wrote none */ }
    }
    process.exit(1);
  });
}
