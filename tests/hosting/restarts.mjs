// SPDX-License-Identifier: MIT
// What a restart of the responder under load costs.
import { is, until } from '../lib.mjs';
import { responders } from '../lib-hosting.mjs';
import { person } from './person.mjs';
import { measure } from './table.mjs';

const RESTARTS = 4;

/** Ends the responders, again and again, while requests come. */
export async function restarts(s) {
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
  measure(s, 'restart', measures.join(', '));
  if (s.holder !== 'server') is(bad.join(), '', `${s.name}: ${RESTARTS} restarts under load fail no request`);
}
