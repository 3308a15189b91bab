// SPDX-License-Identifier: MIT
// A WebSocket that is silent is pinged; who answers stays, who is gone without
// a word is given up. By default after 25 s and within 35 s.
import { execFileSync } from 'node:child_process';
import { startRedis, startBridge, Client, ok, is, until, end, work } from './lib.mjs';

const PING = 400; // ms
const DEAD = 1000;
const bridge = `${process.env.PALAVER_BUILD}/bridge/palaver-bridge`;
const help = execFileSync(bridge, ['--help'], { encoding: 'utf8' });
is(/--ping_after .*\[(\d+)\]/.exec(help)?.[1], '25000', 'pings after 25 s unless set');
is(/--dead_after .*\[(\d+)\]/.exec(help)?.[1], '35000', 'dead peers are gone within 35 s unless set');

await startRedis();
await startBridge('bridge', { PALAVER_PING_AFTER: String(PING), PALAVER_DEAD_AFTER: String(DEAD), PALAVER_PRESENCE_GRACE: '0', PALAVER_MESSAGE_RATE: '0' });
const url = `ws+unix://${work}/bridge.sock:/ws`;
const signed = async (username, options) => {
  const c = await Client.open(url, options);
  c.pings = [];
  c.ws.on('ping', () => c.pings.push(Date.now()));
  await c.ask({ type: 'signIn', signIn: { username, password: 'secret123' } }, 'authorized');
  return c;
};
const lively = await signed('lively');
const talker = await signed('talker');
const talk = setInterval(() => talker.send({ type: 'users', users: { limit: 1 } }), PING / 4);
const dead = await signed('dead', { autoPong: false });
const begun = Date.now(); // heard last before this
await until('the end', () => dead.code);
const took = Date.now() - begun;
is(dead.code, 1006, 'who answers no ping is dropped');
is(dead.pings.length, 1, 'it was pinged once');
const after = dead.pings[0] - begun;
ok(after > PING / 2 && after <= PING + 400, `after its silence, not before (${after} ms)`);
ok(took > PING && took <= DEAD + 200, `in time (${took} ms)`);
const out = await until('sys signOut', () => lively.frames.find((f) => f.sys?.type === 'signOut'));
is(out.sys.signOut.username, 'dead', 'and the others are told');
await until('pings', () => lively.pings.length >= 5);
is(lively.code, 0, 'who answers stays');
is((await lively.ask({ type: 'users', users: { online: true } })).users.total, 2, 'and is served');
// Who does not take what he is sent is heard all the same.
const MESSAGES = 200;
const busy = await signed('busy');
const seqs = () => busy.frames.filter((f) => f.type === 'channelMessage').map((f) => f.channelMessage.seq);
await busy.ask({ type: 'channelJoin' });
busy.ws._socket.pause();
for (let n = 0; n < MESSAGES; n += 1) lively.send({ type: 'channelMessage', id: `${n}`, channelMessage: { message: 'm'.repeat(4000) } });
await until('them to be sent', () => lively.frames.filter((f) => f.type === 'ack').length === MESSAGES);
const still = setInterval(() => busy.ws.ping('here'), PING / 2);
const from = Date.now();
await until('some silence of ours', () => Date.now() - from > 2 * DEAD);
ok(seqs().length < MESSAGES && busy.ws.readyState === busy.ws.OPEN, 'who does not read but pings stays');
busy.ws._socket.resume();
await until('all', () => seqs().length === MESSAGES || busy.code);
ok(busy.code === 0 && seqs().every((q, n) => q === n + 1), 'and gets all when he reads', `${busy.code}: ${seqs().length}`);
clearInterval(still);

clearInterval(talk);
ok(talker.pings.length === 0 && talker.code === 0, 'who talks by itself is not pinged');
await end('bridge');
