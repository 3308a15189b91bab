// SPDX-License-Identifier: MIT
// The checker is red for a bridge and a responder that drop, double or swap one
// message of all that they deliver, says which, and says nothing else.
import { readFileSync, readdirSync } from 'node:fs';
import { startRedis, is, end, work } from './lib.mjs';
import { check, BRIDGE, RESPONDER } from './lib-checker.mjs';

const build = process.env.PALAVER_BUILD;
const seed = Number(process.env.PALAVER_SEED ?? Math.floor(Math.random() * 2 ** 32)) >>> 0;
console.log(`# PALAVER_SEED=${seed}`);
const NTH = 40; // message of a program
// Who is not cut off cannot make good by cursor what was broken.
const calm = { members: 8, gap: 100, shares: { burst: 20, cut: 0, hasty: 0, stall: 0, switch: 0 } };

await startRedis();
const sound = await check({ seed, seconds: 2, ...calm });
is(JSON.stringify(sound.faults), '[]', 'sound programs pass');
for (const [order, fault] of [['drop', 'dropped'], ['double', 'doubled'], ['swap', 'swapped']]) {
  const { faults } = await check({
    seed, seconds: 2, settle: 4000, ...calm,
    bridges: [`${build}/tests/broken_bridge`, BRIDGE], responders: [`${build}/tests/broken_responder`, RESPONDER],
    env: { PALAVER_BREAK: `${order} ${NTH}` },
  });
  const broke = readdirSync(work).filter((f) => f.endsWith('.log') && readFileSync(`${work}/${f}`, 'latin1').includes(`broken: ${order} `));
  is(broke.map((f) => f.replace(/^run\d+-(.*)0\.log$/, '$1')).sort().join(), 'bridge,responder', `${order}: one by the bridge, one by the responder`);
  // m0, m1, m4 and m5 read by WebSocket, the others by long-poll.
  const by = faults.map((f) => `${f.what} by ${/^m[0145],/.test(f.text) ? 'WebSocket' : 'long-poll'}`).sort().join();
  is(by, `${fault} by WebSocket,${fault} by long-poll`, `the checker says ${fault}, once each`);
}
const { faults } = await check({ seed, seconds: 2, ...calm, shares: { ...calm.shares, repeat: 60 }, outages: ['UUIDs forgotten'], every: 300 });
is([...new Set(faults.map((f) => f.what))].sort().join(), 'answers differ,doubled,stored twice', 'what was sent again after its UUID was forgotten is stored twice');
await end();
