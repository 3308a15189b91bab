// SPDX-License-Identifier: MIT
// The pool that hashes passwords: when it is full all are answered, nobody else
// waits, and no address has it for itself. And that a wrong password, or a name
// that is not there, costs a hash as well.
import { readFileSync, readdirSync } from 'node:fs';
import { startRedis, startResponder, startBridge, startNginx, post, Client, ok, is, until, end, work } from './lib.mjs';

const MANY = 100;
const PASSWORD = 'a good password';
const cost = { PALAVER_PASSWORD_COST: 'interactive', PALAVER_SIGN_IN_RATE: '0' };
await startRedis();
await startResponder('responder', cost);
const closed = await startResponder('closed', { ...cost, PALAVER_SIGN_UP: 'off' });
await startBridge('bridge', cost);
const url = await startNginx(['responder'], ['bridge']);
const off = await startNginx(['closed'], ['bridge'], 'off');
const at = `ws+unix://${work}/bridge.sock:/ws`;
const from = (address) => ({ headers: { 'X-Forwarded-For': address } });
const signIn = (username, password = PASSWORD) => ({ type: 'signIn', signIn: { username, password } });
const open = async (address) => Client.open(at, address && from(address));

const ann = await open();
await ann.ask(signIn('ann'), 'authorized');
await ann.ask({ type: 'channelJoin' });
const bob = await open();
await bob.ask(signIn('bob'), 'authorized');
await bob.ask({ type: 'channelJoin' });

/** ms from a message's sending to its coming, again and again while busy. */
async function latencies(busy) {
  const out = [];
  for (let n = 0; busy(n); n += 1) {
    const text = `${Math.random()}`;
    const begin = process.hrtime.bigint();
    const come = new Promise((resolve) => {
      const look = (m) => {
        if (!String(m).includes(text)) return;
        bob.ws.off('message', look);
        resolve();
      };
      bob.ws.on('message', look);
    });
    ann.send({ type: 'channelMessage', channelMessage: { message: text } });
    await come;
    out.push(Number(process.hrtime.bigint() - begin) / 1e6);
    await new Promise((r) => setTimeout(r, 350)); // as message_rate allows
  }
  return out.sort((a, b) => a - b);
}
const half = (l) => l[Math.floor(l.length / 2)];
const outcome = (c) => c.frames.find((f) => f.type === 'authorized' || f.type === 'error');

// ---- a full queue, over WebSocket ----

const before = await latencies((n) => n < 8);
const crowd = await Promise.all(Array.from({ length: MANY }, () => open()));
crowd.forEach((c, n) => c.send(signIn(`crowd${n}`)));
const answered = () => crowd.filter(outcome).length;
const during = await latencies((n) => n < 4 || answered() < MANY);
const codes = crowd.map((c) => outcome(c).error?.code ?? 0);
is(codes.length, MANY, `${MANY} sign-ins at once are all answered`);
const full = codes.filter((c) => c === 21).length;
ok(codes.every((c) => c === 0 || c === 21) && full > 0 && full <= MANY - 64, `those that found no room by error 21 (${full})`);
ok(half(during) < Math.max(50, half(before) * 10), `events come as before: ${half(before).toFixed(1)} ms, meanwhile ${half(during).toFixed(1)} ms (worst ${during.at(-1).toFixed(1)})`);
for (const c of crowd) c.ws.terminate();

// ---- one address is not all ----

const greedy = await Promise.all(Array.from({ length: 60 }, () => open('192.0.2.1')));
const modest = await open('192.0.2.2');
greedy.forEach((c, n) => c.send(signIn(`greedy${n}`)));
await until('a refusal', () => greedy.some((c) => outcome(c)?.error?.code === 21));
modest.send(signIn('modest'));
await until('an answer', () => outcome(modest));
is(outcome(modest).type, 'authorized', 'who comes from elsewhere finds room');
const waiting = greedy.filter((c) => !outcome(c)).length;
ok(waiting >= 8, `and does not wait for those who were there before (${waiting} still wait)`);
await until('all answers', () => greedy.every(outcome));
const got = greedy.filter((c) => outcome(c).type === 'authorized').length;
ok(got >= 16 && got < 32, `of 60 from one address ${got} were taken`);
for (const c of greedy) c.ws.terminate();

// ---- over HTTP ----

const replies = await Promise.all(Array.from({ length: MANY }, (_, n) => post(url, 'signIn', signIn(`http${n}`))));
const refused = replies.filter((r) => r.status === 503);
ok(refused.length > 0 && replies.every((r) => r.status === 200 || r.status === 503), `${MANY} sign-ins at once over HTTP: ${refused.length} are 503`);
ok(refused.every((r) => r.error.code === 21 && Number(r.retryAfter) > 0), 'error 21 with Retry-After');

// ---- a wrong password, and a name that is not there ----

/** ns of CPU that all threads of the process have used. */
const used = () => readdirSync(`/proc/${closed.pid}/task`).reduce((sum, t) => sum + Number(readFileSync(`/proc/${closed.pid}/task/${t}/schedstat`, 'utf8').split(' ')[0]), 0);
async function costs(name, password = 'a wrong password') {
  const begin = used();
  const codesOf = [];
  for (let i = 0; i < 5; i += 1) codesOf.push((await post(off, 'signIn', signIn(name, password))).error?.code ?? 0);
  return { codes: codesOf.join(), ms: (used() - begin) / 1e6 / 5 };
}
const right = await costs('ann', PASSWORD);
const wrong = await costs('ann');
const absent = await costs('nobody');
is(right.codes, '0,0,0,0,0', 'the right password');
ok(wrong.ms > right.ms / 2 && wrong.ms < right.ms * 2 && right.ms > 10, `a wrong one costs as much: ${wrong.ms.toFixed(0)} ms of CPU, ${right.ms.toFixed(0)} ms`);
is(`${wrong.codes} ${absent.codes}`, '5,5,5,5,5 5,5,5,5,5', 'with sign_up = off a wrong name is answered like a wrong password');
ok(absent.ms > wrong.ms / 2 && absent.ms < wrong.ms * 2 && absent.ms > 10, `and costs as much: ${absent.ms.toFixed(0)} ms of CPU, ${wrong.ms.toFixed(0)} ms`);

await end('responder', 'closed', 'bridge');
