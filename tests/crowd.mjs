// SPDX-License-Identifier: MIT
// More connections than the bridge has descriptors: those who are in notice
// nothing, it keeps some for itself, and its log is not filled.
import { connect } from 'node:net';
import { readFileSync, readdirSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { startRedis, start, Client, ok, is, until, end, work } from './lib.mjs';

const FILES = 64;
const path = `${work}/tight.sock`;
await startRedis();
const bridge = start('tight', 'sh', ['-c', `ulimit -n ${FILES}; exec "$0" --listen "unix:${path}"`, `${process.env.PALAVER_BUILD}/bridge/palaver-bridge`]);
const open = () => Client.open(`ws+unix://${path}:/ws`);
const user = async () => {
  const c = await open();
  return c.error ? null : c;
};
const ann = await until('the bridge', user);
await ann.ask({ type: 'signIn', signIn: { username: 'ann', password: 'secret123' } }, 'authorized');
await ann.ask({ type: 'channelJoin' });
/** Says it until it is stored; its seq. */
async function says(message) {
  for (;;) {
    ann.send({ type: 'channelMessage', id: message, channelMessage: { message } });
    const answer = await until('an answer', () => ann.frames.find((f) => f.id === message));
    if (answer.type === 'ack') return answer.ack.seq;
    ann.frames.splice(ann.frames.indexOf(answer), 1);
  }
}
is(await says('before'), 1, 'who is in is served');

const ends = [];
const crowd = Array.from({ length: 10 * FILES }, (_, n) => connect(path).on('error', () => {}).on('close', () => ends.push(n)));
await until('most of them to be turned away', () => ends.length > 9 * FILES);
ok(ends.length < crowd.length, `${crowd.length} come, ${crowd.length - ends.length} find room`);
const files = () => readdirSync(`/proc/${bridge.pid}/fd`).length;
ok(files() < FILES - 8, `it keeps some of ${FILES} descriptors (${files()} in use)`);
is(await says('amid'), 2, 'who is in is served amid the crowd');
execFileSync('redis-cli', ['-s', `${work}/redis.sock`, 'CLIENT', 'KILL', 'SKIPME', 'yes']);
is(await says('again'), 3, 'and when Redis is to be connected to anew');
for (const s of crowd) s.destroy();
const bob = await until('room', user);
ok(bob.frames[0].type === 'ready', 'when they are gone there is room');
const lines = readFileSync(`${work}/tight.log`, 'utf8').trimEnd().split('\n');
ok(lines.length < 20, 'all that is some lines in the log', `${lines.length}: ${lines.slice(-3)}`);
ann.ws.terminate();
bob.ws.terminate();
await end('tight');
