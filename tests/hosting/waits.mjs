// SPDX-License-Identifier: MIT
// Polls: woken, left, held.
import { ok, is, until } from '../lib.mjs';
import { descriptors } from '../lib-hosting.mjs';
import { messages, person, seconds } from './person.mjs';
import { note } from './table.mjs';

export const HELD = Number(process.env.HOSTING_HELD ?? 55); // s: the longest poll there is
const LEFT = 5; // s: a poll that is left

/** What count() comes to when it changes no more. */
async function steady(count) {
  let last = count();
  let since = Date.now();
  await until('all to be quiet', () => {
    const n = count();
    if (n !== last) since = Date.now();
    last = n;
    return Date.now() - since > 500;
  });
  return last;
}

export async function woken(site, ann, bob) {
  const waiting = await bob.park(20);
  const began = Date.now();
  await ann.say('channelMessage', { message: 'wake' });
  is(messages(await waiting.reply).join(), 'wake', `${site.name}: a message wakes a poll`);
  note(site, 'woken ms', Date.now() - began);
}

/** A poll's client closes: he misses nothing, and what his poll held is let go, sooner or later. */
export async function leaves(site, ann, bob) {
  const { setup } = site;
  const gone = new AbortController();
  const began = Date.now();
  const waiting = await bob.park(LEFT, { signal: gone.signal });
  const before = await steady(() => descriptors(setup));
  const left = Date.now();
  gone.abort();
  await waiting.reply.catch(() => null);
  await until('his poll to be let go', () => descriptors(setup) < before);
  const atOnce = seconds(left) < 1;
  const atItsEnd = seconds(began) > LEFT - 0.5;
  is(atOnce ? 'at once' : atItsEnd && 'at its end', setup.left, `${site.name}: who leaves a poll is noticed`);
  note(site, 'left after s', seconds(left).toFixed(1));
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
