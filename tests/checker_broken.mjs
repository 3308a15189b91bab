// SPDX-License-Identifier: MIT
// The checker is red for a bridge and a responder that drop, double or swap one
// message of all that they deliver, or double a notice, says which, and says
// nothing else; for a bridge that delivers after a leave, or says recovered when
// it was not, as well.
import { readFileSync, readdirSync } from 'node:fs';
import { startRedis, is, ok, end, work } from './lib.mjs';
import { check, BRIDGE, RESPONDER } from './lib-checker.mjs';

const build = process.env.PALAVER_BUILD;
const seed = Number(process.env.PALAVER_SEED ?? Math.floor(Math.random() * 2 ** 32)) >>> 0;
console.log(`# PALAVER_SEED=${seed}`);
const NTH = 40; // message of a program
// Who is not cut off cannot make good by cursor what was broken.
const calm = { members: 8, gap: 100, shares: { burst: 20, cut: 0, hasty: 0, stall: 0, switch: 0, leave: 0 } };

await startRedis();
const sound = await check({ seed, seconds: 2, ...calm });
is(JSON.stringify(sound.faults), '[]', 'sound programs pass');
/** Which programs broke something: their logs tell. */
const broken = (order) => readdirSync(work).filter((f) => f.endsWith('.log') && readFileSync(`${work}/${f}`, 'latin1').includes(`broken: ${order} `))
  .map((f) => f.replace(/^run\d+-(.*)0\.log$/, '$1')).sort().join();
for (const [order, fault, leave = 0] of [['drop', 'dropped'], ['double', 'doubled'], ['swap', 'swapped'], ['notice', 'notice doubled', 40]]) {
  const { faults } = await check({
    seed, seconds: leave ? 4 : 2, settle: 4000, ...calm, shares: { ...calm.shares, leave },
    bridges: [`${build}/tests/broken_bridge`, BRIDGE], responders: [`${build}/tests/broken_responder`, RESPONDER],
    env: { PALAVER_BREAK: `${order} ${NTH}` },
  });
  is(broken(order), 'bridge,responder', `${order}: one by the bridge, one by the responder`);
  // m0, m1, m4 and m5 read by WebSocket, the others by long-poll.
  const by = faults.map((f) => `${f.what} by ${/^m[0145],/.test(f.text) ? 'WebSocket' : 'long-poll'}`).sort().join();
  is(by, `${fault} by WebSocket,${fault} by long-poll`, `the checker says ${fault}, once each`);
}
for (const [order, fault, options] of [
  ['leave', 'after the leave', { shares: { ...calm.shares, leave: 60 }, seconds: 8 }],
  ['recovered', 'dropped', { shares: { leave: 0, stall: 0 }, env: { PALAVER_HISTORY: '10' }, lossy: true, seconds: 12 }],
]) {
  const { faults } = await check({ seed, settle: 4000, ...calm, ...options, bridges: Array(2).fill(`${build}/tests/broken_bridge`), env: { ...options.env, PALAVER_BREAK: `${order} 0` } });
  ok(broken(order).startsWith('bridge'), `${order}: broken by a bridge`);
  is([...new Set(faults.map((f) => f.what))].join(), fault, `the checker says ${fault}`);
}
const { faults } = await check({ seed, seconds: 2, ...calm, shares: { ...calm.shares, repeat: 60 }, outages: ['UUIDs forgotten'], every: 300 });
is([...new Set(faults.map((f) => f.what))].sort().join(), 'answers differ,doubled,stored twice', 'what was sent again after its UUID was forgotten is stored twice');
await end();
