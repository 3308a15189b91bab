// SPDX-License-Identifier: MIT
// A bridge to which Redis speaks by two connections, either of which is held up at
// will; a responder that speaks to Redis by itself; and people on both.
import { connect, createServer } from 'node:net';
import { startRedis, startResponder, startBridge, startNginx, redisLater as cli, Client, is, until, post, work } from './lib.mjs';

const ROUNDS = 12;

/** Between the bridge and Redis: holds up what Redis says. */
class Between {
  #held = { feed: false, store: false };
  #pipes = new Set();
  /** store is held as soon as Redis has said that by it. */
  last = null;

  listen(path) {
    const server = createServer((socket) => {
      const there = connect(`${work}/redis.sock`);
      const pipe = { socket, kind: 'store', waits: [] };
      this.#pipes.add(pipe);
      socket.on('data', (said) => {
        if (/\r\nSUBSCRIBE\r\n/i.test(said)) pipe.kind = 'feed';
        there.write(said);
      });
      there.on('data', (said) => {
        pipe.waits.push(said);
        this.#flush(pipe);
        if (pipe.kind === 'store' && this.last?.test(said)) this.hold('store');
      });
      for (const [one, other] of [[socket, there], [there, socket]]) {
        one.on('error', () => {});
        one.on('close', () => {
          other.destroy();
          this.#pipes.delete(pipe);
        });
      }
    });
    return new Promise((resolve) => server.listen(path, resolve));
  }

  #flush(pipe) {
    if (!this.#held[pipe.kind]) for (const said of pipe.waits.splice(0)) pipe.socket.write(said);
  }

  hold(kind) {
    this.#held[kind] = true;
  }

  /** Whether Redis has said that to the bridge, by that connection if one is named, and it is held up. */
  holds(what, kind) {
    return [...this.#pipes].some((pipe) => pipe.kind === (kind ?? pipe.kind) && pipe.waits.join('').includes(what));
  }

  /** That one goes on. */
  letGo(kind) {
    this.#held[kind] = false;
    for (const pipe of this.#pipes) this.#flush(pipe);
  }

  /** That connection is lost, and what was held of it. */
  drop(kind) {
    for (const pipe of this.#pipes) if (pipe.kind === kind) pipe.socket.destroy();
  }

  /** Both go on; the feed drops: what was held of it is lost. */
  release(drop = false) {
    this.#held = { feed: false, store: false };
    this.last = null;
    if (drop) this.drop('feed');
    for (const pipe of this.#pipes) this.#flush(pipe);
  }
}

const env = { PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_PRESENCE_LEASE: '30000', PALAVER_PRESENCE_GRACE: '300', PALAVER_LOG_LEVEL: 'debug' };
export const between = new Between();
await startRedis();
await between.listen(`${work}/between.sock`);
await startResponder('responder', env);
await startBridge('b1', { ...env, PALAVER_REDIS: `unix:${work}/between.sock` });
export const url = await startNginx(['responder'], ['b1']);
export const password = 'secret123';

let who = 0;
/** A WebSocket that was signed in over HTTP, and is in the channel "mark". */
export async function attached() {
  const c = await Client.open(`ws+unix://${work}/b1.sock:/ws`);
  c.uuid = (await c.next('ready')).ready.sessionUUID;
  c.name = `user${who += 1}`;
  const { authorized } = await post(url, 'signIn', { sessionUUID: c.uuid, signIn: { username: c.name, password } });
  [c.key, c.user] = [authorized.accessKey, authorized.userUUID];
  await c.next('authorized');
  await c.ask({ type: 'channelJoin', channelJoin: { channel: 'mark' } });
  return c;
}
export const http = async (type, c, channel, message) => {
  const r = await post(url, type, { sessionUUID: c.uuid, accessKey: c.key, ...(channel && { [type]: { channel, message } }) });
  if (r.status !== 200) throw new Error(`${type}: ${JSON.stringify(r)}`);
};
export const say = (channel, message) => post(url, 'channelMessage', { accessKey: speaker.accessKey, channelMessage: { channel, message } });
export const got = (c, message) => c.frames.filter((f) => f.channelMessage?.Message === message).length;
export const inRedis = async (c, channel) => await cli('HEXISTS', `palaver:{sys}:s:${c.uuid}`, `c:c:${channel}`) === '1';
/** All that Redis has published so far has come to the bridge. */
export let marks = 0;
export async function heard() {
  const mark = `mark ${marks += 1}`;
  await say('mark', mark);
  await until(mark, () => got(witness, mark));
}
/** The bridge has read what the channel had: what is said now comes as it is said. */
export async function live(c, channel) {
  const first = `first in ${channel}`;
  await say(channel, first);
  await until(first, () => got(c, first));
}
/** Whether the session is in the channel, for its bridge and for Redis. */
export async function follows(c, channel) {
  await heard();
  const message = `to ${channel} ${marks}`;
  await say(channel, message);
  await heard();
  await c.ask({ type: 'users', users: { limit: 0 } });
  return `${got(c, message)} ${await inRedis(c, channel)}`;
}

export const speaker = (await post(url, 'signIn', { signIn: { username: 'speaker', password } })).authorized;
export const witness = await attached();
// A script that Redis does not have yet holds up what the bridge asks behind it.
await http('channelJoin', witness, 'first');
await live(witness, 'first');
await witness.ask({ type: 'users', users: { limit: 0 } });

/** Does it ROUNDS times; each must give what is wanted. */
export async function rounds(wanted, what, round) {
  const came = [];
  for (let n = 0; n < ROUNDS; n += 1) came.push(await round(`room${marks}`, n % 3 === 2));
  is([...new Set(came)].join(' | '), wanted, what);
}

/** Its join is heard of, and what the channel had is being read. */
export async function joining(session, channel) {
  between.hold('store');
  await http('channelJoin', session, channel);
  const epoch = await cli('HGET', `palaver:{c:${channel}}:m`, 'e');
  await until('the read', () => between.holds(epoch));
}
