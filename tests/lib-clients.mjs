// SPDX-License-Identifier: MIT
// By what a member of the checker (lib-member.mjs) reads and sends: a WebSocket,
// signed in by itself or over HTTP, or long-polls.
import WebSocket from 'ws';

export const pause = (ms) => new Promise((r) => setTimeout(r, ms));

const WAIT = 10;              // s that a poll waits
export const AGAIN = 150;     // ms until a failed request is tried again, and twice that at most
export const UNSIGNED = 4;    // the error of a session that has ended
export const PASSING = new Set([0, 20, 21]); // cut off, storage away, full: to be repeated

/** An error that was answered; code 0: none was, it was cut off. */
class Failed extends Error {
  constructor(error) {
    super(`${error.code} ${error.error} ${error.payload ?? ''}`);
    this.code = error.code;
  }
}
const cutOff = (why) => new Failed({ code: 0, error: why });

/** A request over HTTP, of a session where one is named. */
async function request(member, signal, type, payload, sessionUUID) {
  let status;
  let body;
  try {
    const r = await fetch(`${member.run.url}/api/${type}`, {
      method: 'POST', signal, headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ accessKey: member.key, sessionUUID, [type]: payload }),
    });
    status = r.status;
    body = await r.text();
  } catch (e) {
    throw cutOff(e.message);
  }
  if (!body.startsWith('{')) throw cutOff(`status ${status}`); // the web server's own
  const reply = JSON.parse(body);
  if (reply.error) throw new Failed(reply.error);
  return reply[reply.type];
}

/** One WebSocket of a member, from its opening to its end. */
export class Socket {
  kind = 'ws';
  #asks = new Map(); // id -> {resolve, reject, on}
  #ids = 0;
  #held = null;      // events that wait for a reply that comes by another way
  #gone = new AbortController();

  constructor(member) {
    this.member = member;
    this.ws = new WebSocket(member.r.pick(member.run.socketUrls), { perMessageDeflate: false, handshakeTimeout: 10000 });
    this.ended = new Promise((_, reject) => {
      this.ws.on('close', (code) => {
        const e = cutOff(`closed ${code}`);
        this.#gone.abort();
        for (const a of this.#asks.values()) a.reject(e);
        reject(e);
      });
    });
    this.ended.catch(() => {});
    this.ws.on('error', () => {}); // 'close' follows
    this.ws.on('message', (text) => this.#take(JSON.parse(text)));
  }

  /** A request; on(payload) runs before any frame behind the reply is looked at. */
  #ask(type, payload, on) {
    if (this.ws.readyState !== WebSocket.OPEN) return Promise.reject(cutOff('not open'));
    const id = String(this.#ids += 1);
    return new Promise((resolve, reject) => {
      this.#asks.set(id, { resolve, reject, on });
      this.ws.send(JSON.stringify({ type, id, [type]: payload }));
    });
  }

  #take(frame) {
    if (frame.type === 'ready') this.opened(frame.ready);
    if (frame.type === 'authorized') this.attached?.();
    if (frame.type === 'error' && !frame.id) this.member.complain(`an error to nothing: ${frame.error.code}`);
    if (frame.cursor && this.#held) this.#held.push(frame);
    else if (frame.cursor) this.member.event(frame);
    const asked = this.#asks.get(frame.id);
    if (!asked) return;
    this.#asks.delete(frame.id);
    if (frame.type === 'error') {
      asked.reject(new Failed(frame.error));
    } else {
      asked.on?.(frame[frame.type]);
      asked.resolve(frame[frame.type]);
    }
  }

  /** Signs in and joins by itself. */
  #begin(since) {
    const m = this.member;
    return Promise.all([
      this.#ask('signIn', { accessKey: m.key, since }, (r) => m.signedIn(r)),
      ...m.joins(since).map(({ c, payload }) => this.#ask('channelJoin', payload, (r) => m.joined(c, r))),
    ]);
  }

  /** Is signed in and joined over HTTP, where the replies overtake nothing. */
  async #attach(since, sessionUUID) {
    const m = this.member;
    const post = (type, payload) => request(m, this.#gone.signal, type, payload, sessionUUID);
    this.#held = [];
    const attached = new Promise((resolve) => { this.attached = resolve; });
    m.signedIn(await post('signIn', { since }));
    for (const { c, payload } of m.joins(since)) m.joined(c, await post('channelJoin', payload));
    const held = this.#held;
    this.#held = null;
    for (const frame of held) m.event(frame);
    await Promise.race([attached, this.ended]); // only then it may ask
  }

  async follow() {
    const m = this.member;
    const { sessionUUID } = await Promise.race([this.ended, new Promise((resolve) => { this.opened = resolve; })]);
    await (m.r.below(4) ? this.#begin(m.since()) : this.#attach(m.since(), sessionUUID));
    m.ready(this);
    await this.ended;
  }

  publish(payload) {
    return this.#ask('channelMessage', payload);
  }

  join(c, payload) {
    return this.#ask('channelJoin', payload, (r) => this.member.joined(c, r));
  }

  leave(c) {
    return this.#ask('channelLeave', c.payload, () => this.member.left(c));
  }

  async stall(ms) {
    this.ws.pause();
    await pause(ms);
    this.ws.resume();
  }

  cut(well) {
    if (well && this.ws.readyState === WebSocket.OPEN) this.ws.close();
    else this.ws.terminate();
  }
}

/** The polls of a member, until they are cut off or their session has ended. */
export class Poll {
  kind = 'poll';
  #gone = new AbortController();
  #joins = 0;        // begun so far
  #joining = null;   // the one that is under way, if any
  #leaves = [];      // answered; what was said before is not read yet

  constructor(member) {
    this.member = member;
  }

  #post(type, payload, sessionUUID) {
    return request(this.member, this.#gone.signal, type, payload, sessionUUID);
  }

  /** A session of its own. What it missed comes by the joins or by the polls. */
  async #begin() {
    const m = this.member;
    const since = m.r.below(2) ? m.since() : undefined;
    const { sessionUUID } = await this.#post('signIn', { since });
    for (const { c, payload } of m.joins(since)) {
      const reply = await this.#post('channelJoin', payload, sessionUUID);
      if (!c.in || since) m.joined(c, reply);
    }
    m.keep(sessionUUID);
  }

  /** One poll, while no join is under way: only the reply to that says from
   * where on to follow the channel. When one was begun while it waited, it counts
   * as lost. */
  async #events(wait) {
    while (this.#joining) await this.#joining; // what it awaits may begin another
    const joins = this.#joins;
    const leaves = this.#leaves.length;
    const reply = await this.#post('events', { since: this.member.since(), wait: leaves ? 0 : wait }, this.member.session);
    if (joins === this.#joins) {
      this.member.events(reply);
      if (!reply.more) this.#left(leaves);
      return reply;
    }
    await this.#joining;
    return null;
  }

  /** From here on nothing of the first channels that were left may come. */
  #left(leaves) {
    for (const left of this.#leaves.splice(0, leaves)) left();
  }

  async follow() {
    const m = this.member;
    if (!m.session) await this.#begin();
    try {
      const first = await this.#events(0);
      if (first?.recovered) m.resumed(first);
      m.ready(this);
      for (;;) await this.#events(WAIT);
    } catch (e) {
      if (e.code === UNSIGNED) {
        m.session = '';
        m.counts.ended += 1;
      }
      throw e;
    } finally {
      // What the session has not read of them goes with it.
      if (this.#leaves.length) m.session = '';
      for (const { c } of this.#leaves) c.least = 0;
      this.#left();
    }
  }

  join(c, payload) {
    const join = async () => {
      for (;;) {
        try {
          this.member.joined(c, await this.#post('channelJoin', payload, this.member.session));
          return;
        } catch (e) {
          if (this.#gone.signal.aborted || !PASSING.has(e.code)) throw e;
          await pause(AGAIN);
        }
      }
    };
    this.#joins += 1;
    this.#joining = join().finally(() => { this.#joining = null; });
    return this.#joining;
  }

  async leave(c) {
    await this.#post('channelLeave', c.payload, this.member.session);
    await new Promise((resolve) => {
      this.#leaves.push(Object.assign(() => {
        if (c.in) this.member.left(c);
        resolve();
      }, { c }));
    });
  }

  publish(payload) {
    return this.#post('channelMessage', payload);
  }

  /** A poll is always read: there is not more than was asked for. */
  stall() {}

  cut() {
    this.#gone.abort();
  }
}

