// SPDX-License-Identifier: MIT
// The checker: members read by WebSocket or long-poll over two bridges and four
// responders; those by long-poll are cut off again and again, go on by cursor
// and repeat what was not acknowledged; then the judge looks at what each got.
// PALAVER_SEED repeats a run's plan, PALAVER_SECONDS is its length.
import { startRedis, is, ok, end } from './lib.mjs';
import { check } from './lib-checker.mjs';

const seed = Number(process.env.PALAVER_SEED ?? Math.floor(Math.random() * 2 ** 32)) >>> 0;
const seconds = Number(process.env.PALAVER_SECONDS ?? 45);
console.log(`# PALAVER_SEED=${seed} PALAVER_SECONDS=${seconds}`);

await startRedis();
const { faults, counts } = await check({ seed, seconds, outages: ['pub/sub cut'], resumes: ['poll'] });
console.log(`# ${JSON.stringify(counts)}`);
is(faults.slice(0, 40).map((f) => `\n# ${f.what}: ${f.text}`).join(''), '', 'nothing is lost, doubled, out of order or stored twice');
// Less than this would show nothing.
const least = (what, n, many) => ok(n >= many * seconds, `${what}: ${n}`, `fewer than ${many * seconds}`);
least('messages sent', counts.sent, 10);
least('of them again', counts.repeats, 2);
least('messages come by WebSocket', counts.messages.ws, 20);
least('messages come by long-poll', counts.messages.poll, 20);
least('resumes by long-poll', counts.resumes.poll, 1);
await end();
