// SPDX-License-Identifier: MIT
// Nothing secret in any log, at any level: a conversation with much that goes
// wrong, at log_level debug; then both programs' logs are searched.
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { start, startResponder, startBridge, startNginx, stop, freePort, Client, ok, is, until, post, end, work } from './lib.mjs';

const REDIS_PASSWORD = 'redis-Secret-0';
const port = await freePort();
const redis = ['--port', String(port), '--bind', '127.0.0.1', '--requirepass', REDIS_PASSWORD, '--save', '', '--dir', work];
const settings = { PALAVER_REDIS: `redis://:${REDIS_PASSWORD}@127.0.0.1:${port}`, PALAVER_LOG_LEVEL: 'debug' };
start('redis', 'redis-server', redis);
await startResponder('responder', settings);
await startBridge('bridge', settings);
const url = await startNginx(['responder'], ['bridge']);
const ws = `${url.replace('http', 'ws')}/ws`;
const secrets = new Map([['the password of Redis', REDIS_PASSWORD]]);
const secret = (what, text) => secrets.set(what, text).get(what);

// An unsigned session's UUID is a secret of its client.
const ann = await Client.open(ws);
secret("an unsigned session's UUID", ann.frames[0].ready.sessionUUID);
ann.ws.close();

// Passwords: right, wrong, and in frames that are broken.
const bob = await Client.open(ws);
const password = secret('a password', 'Right-Horse-1');
const signed = (await bob.ask({ type: 'signUp', signUp: { username: 'bob', password } }, 'authorized')).authorized;
secret('an access key', signed.accessKey);
const wrong = secret('a wrong password', 'Wrong-Horse-2');
is((await post(url, 'signIn', { signIn: { username: 'bob', password: wrong } })).error.code, 5, 'a wrong password');
const broken = secret('a password in a broken frame', 'Broken-Horse-3');
bob.send(`{"type":"signIn","signIn":{"username":"bob","password":"${broken}"`);
is((await bob.next('error')).error.code, 1, 'a broken frame');
const early = secret('a password where none belongs', 'Early-Horse-4');
is((await bob.ask({ type: early, [early]: { password: early } }, 'error')).error.code, 2, 'a password as the type');
is((await post(url, early, {})).error?.code, 2, 'and in a path');

// Keys: in the header, in the body, in a URL, of no user.
const posted = (await post(url, 'signIn', { signIn: { username: 'bob', password } })).authorized;
secret('an access key by HTTP', posted.accessKey);
secret('the session of an HTTP sign-in', posted.sessionUUID);
is((await fetch(`${url}/api/users`, { headers: { Authorization: `Bearer ${posted.accessKey}` } })).status, 200, 'a key in the header');
is((await fetch(`${url}/api/users?accessKey=${posted.accessKey}`)).status, 400, 'a key in a URL');
const text = secret('what people write', 'Whispered-Horse-5');
is((await post(url, 'channelMessage', { accessKey: posted.accessKey, channelMessage: { message: text, recipientUUID: signed.userUUID } })).status, 200, 'a message');
const forged = secret('a forged key', `${signed.userUUID}.${'A'.repeat(43)}`);
is((await post(url, 'users', { accessKey: forged })).error.code, 4, 'a forged key');
is((await post(url, 'channelJoin', { accessKey: posted.accessKey, sessionUUID: posted.sessionUUID })).status, 200, 'a join');

// A body that breaks off, as a client does that leaves.
await new Promise((resolve) => {
  const r = request(`${url}/api/signIn`, { method: 'POST', headers: { 'Content-Type': 'application/json', 'Content-Length': 500 } });
  r.on('error', resolve);
  r.write(`{"signIn":{"username":"bob","password":"${broken}"`, () => r.destroy());
});

// Without Redis, and with a Redis that wants another password.
await stop('redis');
is((await post(url, 'signIn', { signIn: { username: 'bob', password } })).error.code, 20, 'without Redis');
const log = (name) => readFileSync(`${work}/${name}.log`, 'utf8');
start('redis', 'redis-server', redis.map((a) => (a === REDIS_PASSWORD ? 'another' : a)));
await until('the refusal in the logs', () => ['responder', 'bridge'].every((n) => /refused/.test(log(n))));
bob.ws.close();
await until('the end of a session in the log', () => /signed in/.test(log('bridge')));

for (const name of ['responder', 'bridge']) {
  ok(/debug: /.test(log(name)), `the ${name} logs at level debug`);
  for (const [what, value] of secrets) ok(!log(name).includes(value), `${what} is not in the log of the ${name}`, value);
}
await end('responder', 'bridge');
