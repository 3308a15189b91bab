// SPDX-License-Identifier: MIT
// While many requests wait nothing more is read from who sent them, wherever
// among his frames that begins; and all is taken in its turn. One who is closed
// meanwhile is heard again: his answer to the close ends the connection.
import { startRedis, startResponder, startBridge, post, startNginx, Client, ok, is, until, end, work } from './lib.mjs';
import { Wire, frame, TEXT, PONG, CLOSE } from './wire.mjs';

const WAITING = 16; // requests that wait at most (bridge/session_body.h)
const AGAIN = 9; // answers until less than half of them wait
const MEGA = 1024 * 1024;

await startRedis();
// An answer takes as long as a password is hashed.
const settings = { PALAVER_PASSWORD_COST: 'interactive', PALAVER_SIGN_IN_RATE: '0', PALAVER_REQUEST_RATE: '0' };
await startBridge('bridge', settings);
await startResponder('responder', settings);
const url = await startNginx(['responder'], ['bridge']);
const signIn = (password, id) => ({ type: 'signIn', id, signIn: { username: 'ann', password } });
const ann = await Client.open(`ws+unix://${work}/bridge.sock:/ws`);
const { authorized: { accessKey } } = await ann.ask(signIn('the right one'), 'authorized');
ann.ws.terminate();

const asks = (n, from) => Array.from({ length: n }, (_, k) => frame(TEXT, JSON.stringify(signIn('a wrong one', `${from + k}`))));
const filler = Buffer.concat(Array(Math.ceil((8 * MEGA) / 131)).fill(frame(PONG, 'x'.repeat(125))));
for (const more of [AGAIN, AGAIN + 1]) {
  const wire = await Wire.open(`${work}/bridge.sock`);
  const answers = () => wire.frames.length;
  const all = 1 + WAITING + more;
  wire.send(Buffer.concat(asks(all, 0)));
  await wire.until('half of the answers', () => answers() >= AGAIN);
  // Of what came with the first ones, so many are taken that as many wait again.
  wire.send(filler);
  await wire.until('more answers', () => answers() >= AGAIN + 4);
  const taken = filler.length - wire.socket.writableLength;
  ok(taken < 2 * MEGA, `${more} more: nothing is read while they wait`, `${taken} bytes at ${answers()} answers`);
  await wire.until('all answers', () => answers() === all);
  is(wire.frames.map((f) => JSON.parse(f.data).id).join(), Array.from({ length: all }, (_, n) => `${n}`).join(), 'each is answered, in order');
  ok(await until('the rest', () => wire.socket.writableLength === 0), 'and the rest is read');
  wire.drop();
}
{
  const wire = await Wire.open(`${work}/bridge.sock`);
  wire.send(frame(TEXT, JSON.stringify({ type: 'signIn', signIn: { accessKey } })), Buffer.concat(asks(100, 0)));
  await wire.until('an answer', () => wire.frames.some((f) => String(f.data).includes('"id":"0"')));
  // More than the socket holds: reading has stopped.
  wire.send(filler);
  await post(url, 'signOut', { accessKey });
  await wire.until('the close', () => wire.frames.some((f) => f.opcode === CLOSE));
  const closed = Date.now();
  is(wire.frames.at(-1).data.readUInt16BE(0), 4001, 'one is closed while he is not read from');
  wire.send(frame(CLOSE, wire.frames.at(-1).data));
  await wire.end();
  ok(Date.now() - closed < 4000, 'his answer is read, and is the end', `${Date.now() - closed} ms`);
}
await end('bridge', 'responder');
