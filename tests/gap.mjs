// SPDX-License-Identifier: MIT
// A bridge that is cut off while what is done over HTTP for its sessions is
// dropped from its own log: whose session is no longer what its client was told
// is closed, and comes back; the others go on. And a hole that cannot be filled,
// because Redis has lost what was heard of.
import { readFileSync } from 'node:fs';
import { startRedis, startResponder, startBridge, startNginx, redis, signal, Client, ok, is, until, post, end, work } from './lib.mjs';

const PASSWORD = 'secret123';
const env = { PALAVER_PRESENCE_LEASE: '3000', PALAVER_PRESENCE_GRACE: '60000', PALAVER_SIGN_IN_RATE: '0' };
await startRedis();
await startResponder('responder', env);
await startBridge('bridge', env);
const url = await startNginx(['responder'], ['bridge']);

const open = async () => {
  const c = await Client.open(`ws+unix://${work}/bridge.sock:/ws`);
  return Object.assign(c, { session: c.frames[0].ready.sessionUUID });
};
async function member(username) {
  const c = await open();
  const { authorized } = await c.ask({ type: 'signIn', signIn: { username, password: PASSWORD } }, 'authorized');
  await c.ask({ type: 'channelJoin' });
  return Object.assign(c, { user: authorized.userUUID, key: authorized.accessKey });
}
const http = async (c, type, payload, key = c.key) => {
  const reply = await post(url, type, { accessKey: key, sessionUUID: c.session, [type]: payload });
  is(reply.status, 200, `${type} over HTTP`);
  return reply;
};

const attached = await open();
const joined = await member('ann');
const left = await member('bob');
const out = await member('cid');
const moved = await member('dora'); // gets a new key
const same = await member('eve');
const nobody = await open();
const undone = await member('fay'); // what was done is undone again
const all = { attached, joined, left, out, moved, same, nobody, undone };

signal('bridge', 'SIGSTOP');
redis('CLIENT', 'KILL', 'TYPE', 'pubsub');
await http(attached, 'signUp', { username: 'gus', password: PASSWORD }, '');
await http(joined, 'channelJoin', { channel: 'x' });
await http(left, 'channelLeave', {});
await http(out, 'signOut', {});
await http(moved, 'password', { password: PASSWORD, newPassword: 'secret456' });
await http(undone, 'channelJoin', { channel: 'x' });
await http(undone, 'channelLeave', { channel: 'x' });
const log = redis('KEYS', 'palaver:{b:*}:l');
is(redis('LLEN', log), '7', 'what the bridge is to hear of');
redis('LTRIM', log, '-1', '-1'); // all but the last
signal('bridge', 'SIGCONT');

const codes = () => Object.entries(all).filter(([, c]) => c.code).map(([name, c]) => `${name} ${c.code}`).join(', ');
await until('the bridge to see it', () => /commands were lost/.test(readFileSync(`${work}/bridge.log`, 'utf8')));
await until('who is not what it was to be closed', () => attached.code && joined.code && left.code && out.code && moved.code).catch(() => {});
is(codes(), 'attached 4008, joined 4008, left 4008, out 4001, moved 4001', 'closed are those of whom a command was lost');
for (const c of [same, undone]) is((await c.ask({ type: 'users', users: { limit: 0 } })).type, 'users', 'another goes on');
await nobody.ask({ type: 'signIn', signIn: { username: 'eve', password: PASSWORD } }, 'authorized');
ok(nobody.code === 0, 'and one that was nobody\'s signs in');
await until('the counts', () => redis('HKEYS', 'palaver:{g}:in').split('\n').length === 3);
is(redis('HKEYS', 'palaver:{g}:in').split('\n').sort().join(), [joined.user, same.user, undone.user].sort().join(), 'Redis was not made what the bridge believed');
is((await same.ask({ type: 'users', users: { online: true } })).users.users.map((u) => u.Username).join(' '), 'ann bob eve fay gus', 'who was closed is forgiven for some seconds');

const [, , epoch] = (await same.ask({ type: 'channelJoin', channelJoin: { channel: 'hole' } })).channelJoin.cursor.split(':');
const say = (message) => same.ask({ type: 'channelMessage', channelMessage: { channel: 'hole', message } });
await say('before');
redis('PUBLISH', 'palaver:0:c:hole', `${epoch} 1000 {}`);
is((await say('behind').catch((e) => e)).channelMessage?.Message, 'behind', 'what was heard of and is not there holds up nothing');
const calls = () => Number(/cmdstat_evalsha:calls=(\d+)/.exec(redis('INFO', 'commandstats'))[1]);
const [before, waited] = [calls(), Date.now()];
await same.ask({ type: 'users', users: { limit: 0 } });
ok(calls() - before < 100 + (Date.now() - waited) / 10, 'and is not read for again and again');
for (const c of [same, undone, nobody]) c.ws.close();
await end('responder', 'bridge');
