// SPDX-License-Identifier: MIT
// The checker: members read by WebSocket or long-poll, some switching, over two
// bridges and four responders, are cut off again and again, go on by cursor,
// repeat what was not acknowledged, leave channels and join them again. Then the
// judge looks at what each of them got, the notices of who came and went as well;
// in the end some go, and the others must know who is there. Then the same while
// the servers are killed, and Redis, while a copy of it takes over that lacks what
// was stored last, and while the log is so short that some must be told of a gap.
// PALAVER_SEED repeats a run's plan, PALAVER_SECONDS is how long all takes.
import { startRedis, is, ok, end } from './lib.mjs';
import { check, KEEPS } from './lib-checker.mjs';

const seed = Number(process.env.PALAVER_SEED ?? Math.floor(Math.random() * 2 ** 32)) >>> 0;
const whole = Number(process.env.PALAVER_SECONDS ?? 45);
console.log(`# PALAVER_SEED=${seed} PALAVER_SECONDS=${whole}`);

/** floors: minimums of its own. */
async function part(what, share, options, floors = {}) {
  const seconds = share * whole;
  const { faults, counts } = await check({ seed, seconds, ...options });
  console.log(`# ${what}: ${JSON.stringify(counts)}`);
  is(faults.slice(0, 40).map((f) => `\n# ${f.what}: ${f.text}`).join(''), '', `nothing is lost, doubled, out of order or stored twice, ${what}`);
  // Less than this would show nothing; a slow machine does a third of what most do.
  const least = (of, n, many) => ok(n >= many, `${of}: ${n}`, `fewer than ${many}`);
  least('messages sent', counts.sent, 10 * seconds);
  least('of them again', counts.repeats, 0.5 * seconds);
  least('messages come by WebSocket', counts.messages.ws, 20 * seconds);
  least('messages come by long-poll', counts.messages.poll, 20 * seconds);
  least('resumes by WebSocket', counts.resumes.ws, 0.5 * seconds);
  least('resumes by long-poll', counts.resumes.poll, 0.5 * seconds);
  least('switches between the two', counts.switches, 0.1 * seconds);
  least('leaves', counts.leaves, floors.leaves ?? 0.5 * seconds);
  least('joins of what was left', counts.rejoins, floors.rejoins ?? 0.3 * seconds);
  least('notices', counts.notices, 2 * seconds);
  for (const outage of options.outages ?? []) least(outage, counts.outages[outage] ?? 0, 1);
  for (const of of ['pages', 'gaps', 'ended', 'anew', 'over']) if (of in floors) least(of, counts[of], floors[of]);
  return counts;
}

await startRedis(...KEEPS);
await part('as clients and subscriptions are cut off', 0.4, { missed: 120, outages: ['pub/sub cut'] }, { pages: 1 });
await part('as servers are killed and stopped', 0.25, { outages: ['bridge killed', 'responder killed', 'bridge stopped', 'responder stopped'], every: 1500 });
// Once: a cursor is good for the epoch before, not for the one before that.
await part('as Redis is killed and comes back whole', 0.12, { outages: ['Redis killed'], every: Infinity });
// The sessions of two were to lose a join each; channels of two were to go on.
await part('as a copy of Redis takes over that lacks what came last', 0.13, { gap: 250, shares: { leave: 0 }, outages: ['failover'], every: Infinity },
  { leaves: 2, rejoins: 2, gaps: 1, ended: 1, anew: 1, over: 2 });
await part('where it is told of a gap', 0.1, { gap: 150, shares: { cut: 40 }, missed: 120, env: { PALAVER_HISTORY: '10' }, lossy: true }, { gaps: 1 });
await end();
