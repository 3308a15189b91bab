// SPDX-License-Identifier: MIT
// Polls: woken, left, held.
import { ok, is } from '../lib.mjs';
import { messages, person, seconds } from './person.mjs';
import { note } from './table.mjs';

export const HELD = Number(process.env.HOSTING_HELD ?? 55); // s: the longest poll there is

export async function woken(site, ann, bob) {
  const waiting = await bob.park(20);
  const began = Date.now();
  await ann.say('channelMessage', { message: 'wake' });
  is(messages(await waiting.reply).join(), 'wake', `${site.name}: a message wakes a poll`);
  note(site, 'woken ms', Date.now() - began);
}

export async function leaves(site, ann, bob) {
  const gone = new AbortController();
  const waiting = await bob.park(20, { signal: gone.signal });
  gone.abort();
  await waiting.reply.catch(() => null);
  await ann.say('channelMessage', { message: 'who hears' });
  is(messages(await bob.poll(20)).join(), 'who hears', `${site.name}: who left a poll misses nothing`);
}

/** Once all others are done: whoever comes or goes would end it. */
export async function held(site) {
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
