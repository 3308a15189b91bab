// SPDX-License-Identifier: MIT
// One body of tests over every web server of conf/servers, its snippets as they
// stand: each once over http at / and once over https below /chat/. Prints a
// table of what it measured.
// usage: all.mjs [WORD]: only the set-ups that have it in their name
import { is, until, end } from '../lib.mjs';
import { SETUPS, certificate, close, open, prepare } from '../lib-hosting.mjs';
import { body } from './body.mjs';
import { elsewhere } from './elsewhere.mjs';
import { fits } from './fits.mjs';
import { restarts } from './restarts.mjs';
import { curl } from './scripts.mjs';
import { measure, print } from './table.mjs';
import { HELD, held } from './waits.mjs';

const AT_ONCE = 3; // set-ups that are worked at the same time

/** Calls fn for each, AT_ONCE of them at a time. */
async function each(list, fn) {
  const rest = [...list];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let one = rest.shift(); one; one = rest.shift()) await fn(one);
  }));
}

prepare();
const ca = certificate();
const setups = [];
for (const setup of SETUPS.filter(({ name }) => name.includes(process.argv[2] ?? ''))) {
  const s = await open(setup, setups.length, ca);
  for (const site of s.sites) site.name = `${s.name}, ${site.secure ? 'https' : 'http'}`;
  setups.push(s);
}
await each(setups, async (s) => {
  for (const site of s.sites) await curl(site);
  if (s.holder === 'none') measure(s, 'restart', 'no process stays');
  else await restarts(s);
  s.open = [];
  for (const site of s.sites) s.open.push(await body(site));
  // Which takes its time, while others are worked.
  s.held = Promise.all(s.sites.map(held));
});
await each(setups, async (s) => {
  await s.held;
  for (const { ann, socket } of s.open) {
    await ann.say('channelMessage', { message: 'still there' });
    await until('it', () => socket.code || socket.raw.some((t) => t.includes('still there')), 60000);
    is(socket.code, 0, `${s.name}: a WebSocket that was silent for ${HELD} s is there`);
    socket.ws.close();
  }
  await fits(s);
  await elsewhere(s);
});
for (const s of setups) is(await close(s), '', `${s.name}: all ends well`);
print();
await end();
