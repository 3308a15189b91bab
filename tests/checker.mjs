// SPDX-License-Identifier: MIT
// The checker: members read by WebSocket or long-poll, some switching, over two
// bridges and four responders, are cut off again and again, go on by cursor,
// repeat what was not acknowledged, leave channels and join them again. Then the
// judge looks at what each of them got, the notices of who came and went as well;
// in the end some go, and the others must know who is there. Then the same while
// the servers are killed, and Redis, and while the log is so short that some must
// be told of a gap.
// PALAVER_SEED repeats a run's plan, PALAVER_SECONDS is how long all takes.
import { startRedis, is, ok, end } from './lib.mjs';
import { check, KEEPS } from './lib-checker.mjs';

const seed = Number(process.env.PALAVER_SEED ?? Math.floor(Math.random() * 2 ** 32)) >>> 0;
const whole = Number(process.env.PALAVER_SECONDS ?? 45);
console.log(`# PALAVER_SEED=${seed} PALAVER_SECONDS=${whole}`);

async function part(what, share, options) {
  const seconds = share * whole;
  const { faults, counts } = await check({ seed, seconds, ...options });
  console.log(`# ${what}: ${JSON.stringify(counts)}`);
  is(faults.slice(0, 40).map((f) => `\n# ${f.what}: ${f.text}`).join(''), '', `nothing is lost, doubled, out of order or stored twice, ${what}`);
  // Less than this would show nothing; a slow machine does a third of what most do.
  const least = (of, n, many) => ok(n >= many * seconds, `${of}: ${n}`, `fewer than ${many * seconds}`);
  least('messages sent', counts.sent, 10);
  least('of them again', counts.repeats, 0.5);
  least('messages come by WebSocket', counts.messages.ws, 20);
  least('messages come by long-poll', counts.messages.poll, 20);
  least('resumes by WebSocket', counts.resumes.ws, 0.5);
  least('resumes by long-poll', counts.resumes.poll, 0.5);
  least('switches between the two', counts.switches, 0.1);
  least('leaves', counts.leaves, 0.5);
  least('joins of what was left', counts.rejoins, 0.3);
  least('notices', counts.notices, 2);
  return counts;
}

await startRedis(...KEEPS);
const { pages } = await part('as clients and subscriptions are cut off', 0.5, { missed: 120, outages: ['pub/sub cut'] });
ok(pages > 0, `resumes of more than one page: ${pages}`);
const { outages } = await part('as servers are killed and stopped', 0.25, {
  outages: ['bridge killed', 'responder killed', 'bridge stopped', 'responder stopped'], every: 1500,
});
ok(outages > 0, `outages: ${outages}`);
// Once: a cursor is good for the epoch before, not for the one before that.
await part('as Redis is killed and comes back whole', 0.15, { outages: ['Redis killed'], every: 80 * whole });
const { gaps } = await part('where it is told of a gap', 0.1, { gap: 150, shares: { cut: 40 }, missed: 120, env: { PALAVER_HISTORY: '10' }, lossy: true });
ok(gaps > 0, `gaps: ${gaps}`);
await end();
