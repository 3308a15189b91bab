// SPDX-License-Identifier: MIT
// One session, two ways at once: WebSockets that join and leave by themselves
// while the same is done for them over HTTP, and connections to Redis break all
// the time. When it is quiet again, what each session gets, what Redis has
// recorded for it and who counts as being in a channel must be the same.
import { execFile } from 'node:child_process';
import { startRedis, startResponder, startBridge, startNginx, Client, ok, is, until, post, end, work } from './lib.mjs';

const SESSIONS = 12;
const ROOMS = 5;
const TURNS = 20;
const seed = Number(process.env.SEED ?? Date.now() % 1000000);
console.log(`# SEED=${seed}`);
let state = seed;
/** 0 <= n < below, the same for the same seed. */
function random(below) {
  state = (state * 1103515245 + 12345) % 2147483648;
  return Math.floor(state / 65536) % below;
}
const cli = (...args) => new Promise((done) => {
  execFile('redis-cli', ['-s', `${work}/redis.sock`, ...args], (_, out) => done(String(out).trim()));
});
const env = { PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_SIGN_UP_RATE: '0', PALAVER_REQUEST_RATE: '0', PALAVER_PRESENCE_LEASE: '1500', PALAVER_PRESENCE_GRACE: '200' };
await startRedis();
await startResponder('responder', env);
await startBridge('b1', env);
await startBridge('b2', env);
const url = await startNginx(['responder'], ['b1', 'b2']);

const sessions = await Promise.all(Array.from({ length: SESSIONS }, async (_, n) => {
  const c = await Client.open(`ws+unix://${work}/b${1 + (n % 2)}.sock:/ws`);
  const { sessionUUID } = (await c.next('ready')).ready;
  const { authorized } = await post(url, 'signIn', { sessionUUID, signIn: { username: `user${n}`, password: 'secret123' } });
  await c.next('authorized');
  return Object.assign(c, { key: authorized.accessKey, user: authorized.userUUID, session: sessionUUID });
}));
const speaker = (await post(url, 'signIn', { signIn: { username: 'speaker', password: 'secret123' } })).authorized;

/** One step for a session, one way or the other; retried when Redis was away. */
async function step(c, rooms) {
  const type = random(2) ? 'channelJoin' : 'channelLeave';
  const payload = { channel: `room${random(rooms)}` };
  if (random(2)) {
    for (let k = 0; k < 50; k += 1) {
      const { error } = await post(url, type, { sessionUUID: c.session, accessKey: c.key, [type]: payload });
      if (error?.code !== 20) return;
      await new Promise((r) => setTimeout(r, 20));
    }
  } else {
    ids += 1;
    const id = `${ids}`;
    c.send({ type, id, [type]: payload });
    await until('a reply', () => c.code || c.frames.some((f) => f.id === id));
  }
}
/** Everybody does two steps at once, many times, in so many rooms; kinds of connections break meanwhile. */
async function churn(rooms, ...kinds) {
  let breaking = kinds.length > 0;
  const breaker = (async () => {
    let n = 0;
    for (; breaking; n += 1) {
      await cli('CLIENT', 'KILL', 'TYPE', kinds[n % kinds.length]);
      await new Promise((r) => setTimeout(r, 60));
    }
    return n;
  })();
  await Promise.all(sessions.map(async (c) => {
    for (let n = 0; n < TURNS; n += 1) await Promise.all([step(c, rooms), step(c, rooms)]);
  }));
  breaking = false;
  const broke = await breaker;
  ok(broke > 3 || kinds.length === 0, `connections for ${kinds.join(' and ') || 'nothing'} broke all the while`);
  ok(sessions.every((c) => c.code === 0), 'no session was closed', sessions.map((c) => c.code).join());
  await agree();
}

// What each of them gets, against the record, until both are at rest.
let round = 0;
let ids = 0;
const recorded = async (c) => (await cli('HKEYS', `palaver:{sys}:s:${c.session}`)).split('\n').filter((f) => f.startsWith('c:c:')).map((f) => f.slice(4)).sort().join();
async function agree() {
  let differs = '';
  await until('all to agree', async () => {
    round += 1;
    for (let k = 0; k < ROOMS; k += 1) {
      const r = await post(url, 'channelMessage', { accessKey: speaker.accessKey, channelMessage: { channel: `room${k}`, message: `${round}` } });
      if (r.error) return false;
    }
    await Promise.all(sessions.map((c) => c.ask({ type: 'users', users: { limit: 0 } })));
    const hears = (c) => c.frames.filter((f) => f.channelMessage?.Message === `${round}`).map((f) => f.channelMessage.channel).sort().join();
    differs = '';
    for (const c of sessions) {
      const record = await recorded(c);
      if (record !== hears(c)) differs += `${c.session}: hears ${hears(c)}, recorded ${record}; `;
    }
    for (let k = 0; k < ROOMS; k += 1) {
      const inside = new Map((await cli('HGETALL', `palaver:{c:room${k}}:in`)).split('\n').flatMap((v, i, all) => (i % 2 || !v ? [] : [[v, all[i + 1]]])));
      for (const c of sessions) {
        const wanted = hears(c).split(',').includes(`room${k}`) ? '1' : undefined;
        if (inside.get(c.user) !== wanted) differs += `${c.user} in room${k}: ${inside.get(c.user)}, wanted ${wanted}; `;
      }
    }
    return !differs;
  }, 8000).catch(() => {});
  is(differs, '', 'what each session gets, its record and who is in a channel agree');
}
await churn(ROOMS, 'pubsub', 'pubsub', 'pubsub', 'normal');
await churn(ROOMS, 'pubsub');
await churn(1);
const on = (await post(url, 'users', { accessKey: speaker.accessKey, users: { online: true } })).users;
is(on.total, SESSIONS + 1, 'all are on line');
is((await cli('HVALS', 'palaver:{sys}:online')).split('\n').filter((n) => n !== '1').join(), '', 'each once');
const closing = Date.now();
for (const c of sessions) c.ws.close();
await until('their end', async () => (await post(url, 'users', { accessKey: speaker.accessKey, users: { online: true } })).users.total === 1, 10000);
ok(true, `all are off line ${Date.now() - closing} ms after their connections`);
for (let k = 0; k < ROOMS; k += 1) await until('an empty channel', async () => await cli('EXISTS', `palaver:{c:room${k}}:in`) === '0', 10000);
ok(true, 'and the channels are empty');
await end('responder', 'b1', 'b2');
