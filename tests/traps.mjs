// SPDX-License-Identifier: MIT
// What a web server may do to a responder: slow, cut and oversized requests,
// connections that say nothing or read nothing, too many of them. None may hold
// up another, and no reply may be lost. Then the same to plain CGI.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { startRedis, start, freePort, ok, is, until, end, stop, work } from './lib.mjs';
import { Connection, ask, begin, body, head, params, response, whole } from './lib-fcgi.mjs';

const SOON = 1500; // ms: a request that nobody holds up, under sanitizers
const responder = `${process.env.PALAVER_BUILD}/fcgi/palaver.fcgi`;
const env = { PALAVER_MESSAGE_RATE: '0' };
await startRedis();
const port = await freePort();
start('tcp', responder, ['--listen', `127.0.0.1:${port}`], env);
start('unix', responder, ['--listen', `unix:${work}/unix.sock`], env);
const sockets = [['unix', `${work}/unix.sock`], ['tcp', { host: '127.0.0.1', port }]];
const health = { REQUEST_METHOD: 'GET', CONTENT_LENGTH: '' };
/** How many ms another request takes meanwhile, the slowest of three. */
async function meanwhile(target) {
  let most = 0;
  for (let n = 0; n < 3; n += 1) {
    const at = Date.now();
    const got = await ask(target, 'health', {}, health);
    most = got?.status === 200 ? Math.max(most, Date.now() - at) : Infinity;
  }
  return most;
}
for (const [name, target] of sockets) await until(name, () => meanwhile(target).then((ms) => ms < Infinity, () => false));
const signed = (await ask(sockets[0][1], 'signIn', { signIn: { username: 'ann', password: 'secret123' } })).json.authorized;
const users = JSON.stringify({ accessKey: signed.accessKey });

// A reply that fills any socket's buffer: a hundred messages of 16 KiB.
const message = '\u{1f600}'.repeat(4096);
for (let n = 0; n < 100; n += 1) await ask(sockets[0][1], 'channelMessage', { accessKey: signed.accessKey, channelMessage: { message } });
const large = JSON.stringify({ accessKey: signed.accessKey, sessionUUID: signed.sessionUUID, channelJoin: { limit: 100 } });

for (const [name, target] of sockets) {
  // Connections ahead that say nothing, or only the beginning.
  const silent = [];
  const cut = head('users', users);
  for (const bytes of [Buffer.alloc(0), begin(), cut.subarray(0, 20), cut, Buffer.concat([cut, body(users).subarray(0, 12)])]) {
    for (let n = 0; n < 8; n += 1) {
      const c = await Connection.open(target);
      c.write(bytes);
      silent.push(c);
    }
  }
  const took = await meanwhile(target);
  ok(took < SOON, `${name}: ${silent.length} unfinished requests ahead hold up nobody (${took} ms)`);
  // The last ones go on where they were: the body arrives late.
  const slow = silent.slice(-8);
  for (const c of slow) c.write(body(users).subarray(12));
  const late = await Promise.all(slow.map((c) => c.take()));
  ok(late.every((r) => r?.status === 200 && r.whole), `${name}: a slow body is served when it is whole`);
  // Others leave in the middle of their parameters or body: no reply, no harm.
  for (const c of silent) c.end();
  const garbage = await Connection.open(target);
  garbage.write(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
  is(await garbage.take(), null, `${name}: what is no FastCGI is closed`);
  const drip = await Connection.open(target);
  for (const byte of whole('users', users)) drip.write(Buffer.from([byte]));
  is((await drip.take())?.status, 200, `${name}: byte by byte`);
  drip.end();

  // A body above the limit is read to its end: unread bytes would turn the
  // closing into a reset, and the reply would be lost.
  const big = 'x'.repeat(300000);
  const over = await Promise.all(Array.from({ length: 20 }, async () => {
    const c = await Connection.open(target);
    c.write(whole('users', big));
    const r = await c.take();
    await until('the close', () => c.closed);
    return r?.status === 413 && r.whole && !c.error;
  }));
  is(over.filter(Boolean).length, 20, `${name}: a large body gets its 413, every time`);
  const huge = await Connection.open(target);
  huge.write(whole('users', 'x'.repeat(9 * 1024 * 1024)));
  is(await huge.take(), null, `${name}: one without end is cut off`);
  const short = await ask(target, 'users', { accessKey: signed.accessKey }, { CONTENT_LENGTH: 1000 });
  is(short.json.error.code, 1, `${name}: a body shorter than announced is not acted upon`);

  // Who does not read his large reply waits alone, and still gets all of it.
  const readers = await Promise.all(Array.from({ length: 20 }, async () => {
    const c = await Connection.open(target);
    c.socket.pause();
    c.write(whole('channelJoin', large));
    return c;
  }));
  const beside = await meanwhile(target);
  ok(beside < SOON, `${name}: replies that nobody reads hold up nobody (${beside} ms)`);
  for (const c of readers) c.socket.resume();
  const replies = await Promise.all(readers.map((c) => c.take()));
  ok(replies.every((r) => r?.status === 200 && r.whole && r.text.length > 800000), `${name}: and are whole when they are read (${replies[0]?.text.length} characters)`);
  for (const c of readers) c.end();
  // One that leaves without its reply.
  const gone = await Connection.open(target);
  gone.socket.pause();
  gone.write(whole('channelJoin', large));
  await meanwhile(target);
  gone.end();
  ok(await meanwhile(target) < SOON, `${name}: who leaves does no harm`);
  // A kept connection: many requests, also at once.
  const kept = await Connection.open(target);
  kept.write(Buffer.concat(Array.from({ length: 50 }, () => whole('users', users, { keep: true }))));
  const row = [];
  for (let n = 0; n < 50; n += 1) row.push((await kept.take())?.status);
  ok(row.every((s) => s === 200) && !kept.closed, `${name}: 50 requests at once on a kept connection`);
  kept.end();
}

// Descriptors run out: those who come wait until others leave.
const FILES = 100;
const tight = start('tight', 'sh', ['-c', `ulimit -n ${FILES}; exec ${responder} --listen unix:${work}/tight.sock`], env);
const target = `${work}/tight.sock`;
await until('it', () => meanwhile(target).then((ms) => ms < Infinity, () => false));
const crowd = await Promise.all(Array.from({ length: 2 * FILES }, () => Connection.open(target)));
ok(crowd.every((c) => !c.error), `${2 * FILES} connections to one that may have ${FILES} descriptors`);
ok(readdirSync(`/proc/${tight.pid}/fd`).length < FILES, 'it keeps some for itself');
for (const c of crowd) c.write(whole('users', users));
const served = await Promise.all(crowd.map((c) => c.take()));
is(served.filter((r) => r?.status === 200).length, 2 * FILES, 'all are served in turn');
for (const c of crowd) c.end();
ok(await meanwhile(target) < SOON, 'and so is the next one');

// Plain CGI.
function cgi(type, text, { more = {}, late = '', close = true } = {}) {
  const child = spawn(responder, [], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { PATH: process.env.PATH, PALAVER_REDIS: `unix:${work}/redis.sock`, ASAN_OPTIONS: `log_path=${work}/asan`, ...params(type, text + late, more) },
  });
  const out = [];
  child.stdout.on('data', (d) => out.push(d));
  child.stdin.on('error', () => {});
  child.stdin.write(text);
  if (close) child.stdin.end();
  child.reply = new Promise((resolve) => {
    child.once('close', (code, signal) => resolve(Object.assign(response(Buffer.concat(out)), { code, signal })));
  });
  return child;
}
const plain = await cgi('users', users).reply;
ok(plain.status === 200 && plain.whole && plain.code === 0, 'CGI: a request');
const slow = cgi('users', users.slice(0, 10), { late: users.slice(10), close: false });
is((await cgi('users', users).reply).status, 200, 'CGI: others are served meanwhile');
slow.stdin.write(users.slice(10));
is((await slow.reply).status, 200, 'CGI: a slow body, whose end is its length');
const chunked = await cgi('users', users, { more: { CONTENT_LENGTH: '' } }).reply;
is(chunked.status, 200, 'CGI: no length, up to the end');
is((await cgi('users', 'x'.repeat(300000)).reply).status, 413, 'CGI: a large body gets its 413');
is((await cgi('users', users, { more: { CONTENT_LENGTH: 1000 } }).reply).status, 400, 'CGI: a body shorter than announced');
const unread = cgi('channelJoin', large);
unread.stdout.pause();
await cgi('users', users).reply;
is(unread.exitCode, null, 'CGI: nobody reads the reply yet');
unread.stdout.resume();
const whole1 = await unread.reply;
ok(whole1.status === 200 && whole1.whole, 'CGI: it is whole when it is read');
const left = cgi('channelJoin', large);
left.stdout.destroy();
is((await left.reply).code, 0, 'CGI: nobody ever reads it');
const waiting = cgi('users', '', { late: users, close: false });
await cgi('users', users).reply;
waiting.kill('SIGTERM');
is((await waiting.reply).signal, 'SIGTERM', 'CGI: SIGTERM ends one that waits for its body');
is(await stop('tight'), 0, 'tight ends well');
await end('tcp', 'unix');
