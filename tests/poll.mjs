// SPDX-License-Identifier: MIT
// Long-poll: answered at once with news, parked without, woken by an event,
// ended by its time, by a newer poll, by a join; cursors at every boundary.
import { execFileSync } from 'node:child_process';
import { startRedis, startResponder, startBridge, startNginx, Client, ok, is, until, post, end, work } from './lib.mjs';

await startRedis();
const limits = { PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0' };
for (const r of ['r1', 'r2']) await startResponder(r, limits);
await startBridge('bridge', limits);
const url = await startNginx(['r1', 'r2'], ['bridge']);
const redis = (...args) => execFileSync('redis-cli', ['-s', `${work}/redis.sock`, ...args], { encoding: 'utf8' }).trim();

/** A long-poll session of a user. */
class Poller {
  static async open(username) {
    const p = new Poller();
    const { authorized } = await post(url, 'signIn', { signIn: { username, password: 'secret123' } });
    Object.assign(p, { uuid: authorized.userUUID, key: authorized.accessKey, session: authorized.sessionUUID, cursor: authorized.cursor });
    return p;
  }
  post(type, payload = {}, more = {}) {
    return post(url, type, { accessKey: this.key, sessionUUID: this.session, [type]: payload, ...more });
  }
  async join(payload = {}) {
    return (await this.post('channelJoin', payload)).channelJoin;
  }
  /** One poll, of since or from where the one before came to. */
  async poll(wait, since = this.cursor) {
    const r = await this.post('events', { since, wait });
    if (r.events) this.cursor = r.events.cursor;
    return r;
  }
}
const messages = (r) => r.events.frames.filter((f) => f.type === 'channelMessage').map((f) => f.channelMessage.Message);

const ann = await Poller.open('ann');
const bob = await Poller.open('bob');
await ann.join();
await bob.join();
await ann.poll(0);
let r = await ann.poll(0);
is(r.events.frames.length, 0, 'with nothing new and no wait it is answered at once');
is(r.events.recovered, true, 'nothing was lost');

let waiting = ann.poll(20);
await until('a poll to wait', () => redis('hget', `palaver:{sys}:s:${ann.session}`, 'w'));
await bob.post('channelMessage', { message: 'one' });
is(messages(await waiting).join(), 'one', 'a message wakes the poll that waits');
await bob.post('channelMessage', { message: 'two' });
await bob.post('channelMessage', { message: 'three' });
is(messages(await ann.poll(20)).join(), 'two,three', 'what came between two polls is there at once');
const began = Date.now();
r = await ann.poll(1);
ok(r.events.frames.length === 0 && Date.now() - began > 900, 'a poll ends by its time, empty');

waiting = ann.poll(20);
await until('a poll to wait', () => redis('hget', `palaver:{sys}:s:${ann.session}`, 'w'));
const newer = ann.poll(2, ann.cursor);
is((await waiting).events.frames.length, 0, 'a newer poll of the session ends the one that waits');
is((await newer).events.frames.length, 0, 'and waits itself');

waiting = ann.poll(20);
await until('a poll to wait', () => redis('hget', `palaver:{sys}:s:${ann.session}`, 'w'));
await ann.join({ recipientUUID: bob.uuid });
is((await waiting).events.frames.length, 0, 'so does a join');
await bob.post('channelMessage', { message: 'psst', recipientUUID: ann.uuid });
r = await ann.poll(20);
is(messages(r).join(), 'psst', 'the channel joined is followed from then on, whatever the cursor says');
ok(!r.events.frames.some((f) => f.sys?.type === 'channelMessage'), 'its sys channelMessage is spared');

await end('r1', 'r2', 'bridge');
