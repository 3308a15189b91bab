// SPDX-License-Identifier: MIT
// How many wait at the server's default settings.
import { cpus } from 'node:os';
import WebSocket from 'ws';
import { ok, is, until } from '../lib.mjs';
import { redis } from '../lib-hosting.mjs';
import { person } from './person.mjs';
import { measure } from './table.mjs';

const SOCKETS = 1600; // WebSockets
const POLLS = 200;
// What the README says; where a worker of nginx is full, another may have room.
const FIT = {
  nginx: [360, 384 * cpus().length],
  lighttpd: [1350, 1365],
  apache: [75, 160], // 150 threads; a poll whose client left is seen for a little longer
};

/** What count() comes to: most, or where it stays for 4 s: Apache starts a process a second. */
async function settled(count, most) {
  let last = -1;
  let since = Date.now();
  return until('as many as fit', async () => {
    const n = await count();
    if (n !== last) since = Date.now();
    last = n;
    return (n === most || Date.now() - since > 4000) && { n };
  }, 60000).then(({ n }) => n);
}
async function sockets(site) {
  const all = Array.from({ length: SOCKETS }, () => new WebSocket(site.ws, { ca: site.ca }).on('error', () => {}));
  const n = await settled(() => all.filter((ws) => ws.readyState === ws.OPEN).length, SOCKETS);
  all.forEach((ws) => ws.terminate());
  return n;
}
async function polls(site, many) {
  const ann = await person(site, 'ann3');
  const sessions = await Promise.all(Array.from({ length: many }, async () => {
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
    many, ...sessions.map(({ uuid }) => `palaver:{sys}:s:${uuid}`))), many);
  // A note to herself is news to all of them; where no thread is left it waits as well.
  await ann.say('channelMessage', { recipientUUID: ann.uuid, message: 'wake' });
  const bad = (await Promise.all(all)).filter((status) => status !== 200);
  return { n, bad };
}

/** Asks for more than fit, and counts. */
export async function fits(s) {
  const [site] = s.sites;
  const [least, most] = FIT[s.server];
  const good = (n, of) => n >= Math.min(least, of) && n <= Math.min(most, of);
  const n = await sockets(site);
  ok(good(n, SOCKETS), `${s.name}: WebSockets that it holds, of ${SOCKETS}`, n);
  measure(s, `of ${SOCKETS} WebSockets`, n);
  if (s.slots) {
    const { n: held, bad } = await polls(site, 3 * s.slots);
    is(`${held} ${bad.join()}`, `${s.slots} `, `${s.name}: polls that hold a process, and the others are answered`);
    measure(s, `of ${POLLS} polls`, `poll_slots, ${held}`);
    return;
  }
  const held = await polls(site, POLLS);
  ok(good(held.n, POLLS), `${s.name}: polls that it holds, of ${POLLS}`, held.n);
  is(held.bad.join(), '', `${s.name}: and the others have their turn`);
  measure(s, `of ${POLLS} polls`, held.n);
}
