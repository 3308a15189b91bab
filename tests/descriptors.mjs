// SPDX-License-Identifier: MIT
// How many long-polls one responder holds: 10,000 with descriptors enough; with
// fewer, as many as these allow, and operations are answered beside them.
import { startRedis, startResponder, start, ok, is, until, end, work } from './lib.mjs';
import { Connection, ask, whole } from './lib-fcgi.mjs';

const MANY = 10000;
const LIMIT = 200; // descriptors of the small one
const HOLDS = (LIMIT - 64) * 7 / 8; // and an eighth is for operations
const USERS = 20;
const limits = { PALAVER_SIGN_IN_RATE: '0', PALAVER_SIGN_UP_RATE: '0', PALAVER_REQUEST_RATE: '0', PALAVER_USER_POLLS: '100000' };
const many = `${work}/many.sock`;
const few = `${work}/few.sock`;

await startRedis();
await startResponder('many', limits);
start('few', '/bin/sh', ['-c', `ulimit -n ${LIMIT}; exec ${process.env.PALAVER_BUILD}/fcgi/palaver.fcgi --listen unix:${few}`], limits);
await until('it', async () => (await ask(few, 'health', {}, { REQUEST_METHOD: 'GET' }))?.status === 200);

/** The same for each of a list, some at a time. */
async function each(list, todo) {
  const rest = list.values();
  await Promise.all(Array.from({ length: 32 }, async () => {
    for (const one of rest) await todo(one);
  }));
}
const users = [];
for (let n = 0; n < USERS; n += 1) {
  users.push((await ask(many, 'signIn', { signIn: { username: `user${n}`, password: 'secret123' } })).json.authorized);
}
/** Sessions that follow general, each with all there was. */
async function sessions(count) {
  const all = Array.from({ length: count }, (_, n) => ({ accessKey: users[n % USERS].accessKey }));
  await each(all, async (s) => {
    s.sessionUUID = (await ask(many, 'signIn', { signIn: { accessKey: s.accessKey } })).json.authorized.sessionUUID;
    await ask(many, 'channelJoin', { ...s, channelJoin: { limit: 0 } });
  });
  await each(all, async (s) => {
    s.since = (await ask(many, 'events', { ...s, events: { wait: 0 } })).json.events.cursor;
  });
  return all;
}
/** Begins a poll; s.reply comes with its response. */
async function poll(target, s) {
  const { accessKey, sessionUUID, since } = s;
  s.connection = await Connection.open(target);
  s.connection.write(whole('events', JSON.stringify({ accessKey, sessionUUID, events: { since, wait: 55 } })));
  s.reply = s.connection.take();
  s.reply.then((r) => { s.got = r; });
}
const say = (target, message) => ask(target, 'channelMessage', { accessKey: users[0].accessKey, channelMessage: { message } });
const has = (r, message) => r?.status === 200 && r.json.events.frames.some((f) => f.channelMessage?.Message === message);

const small = await sessions(HOLDS + 20);
for (const s of small) await poll(few, s);
await until('who is too many', () => small.filter((s) => s.got).length === small.length - HOLDS);
const refused = small.filter((s) => s.got).map((s) => s.got);
ok(refused.every((r) => r.status === 503 && r.json.error.code === 21 && r.json.error.payload === 'polls'), `with ${LIMIT} descriptors ${HOLDS} polls wait, the others are refused`, refused.map((r) => r.status).join());
ok(refused.every((r) => r.retryAfter > 0), 'with Retry-After', refused.map((r) => r.retryAfter).join());
is((await ask(few, 'users', { accessKey: users[0].accessKey })).status, 200, 'operations are answered beside them');
await say(few, 'few');
await Promise.all(small.map((s) => s.reply));
is(small.filter((s) => has(s.got, 'few')).length, HOLDS, 'all that wait are answered');
for (const s of small) s.connection.end();

const crowd = await sessions(MANY);
await each(crowd, (s) => poll(many, s));
is((await ask(many, 'users', { accessKey: users[0].accessKey })).status, 200, `beside ${MANY} polls as well`);
ok(crowd.every((s) => !s.got), `${MANY} polls wait in one process`, crowd.filter((s) => s.got).length);
await say(many, 'many');
await Promise.all(crowd.map((s) => s.reply));
is(crowd.filter((s) => has(s.got, 'many')).length, MANY, 'one event answers them all');
for (const s of crowd) s.connection.end();
await end('many', 'few');
