// SPDX-License-Identifier: MIT
/**
 * The two ways to the server, alike to the one who uses them: a WebSocket, and
 * HTTP with long-polls. One lives once, and tells through `on`:
 *   up(): it can be used
 *   frame(frame): an event (WebSocket)
 *   events(payload, since): what a long-poll brought; awaited before the next
 *   down({code, wait, hung}): its end, unless close() came first. code as a
 *     WebSocket's, wait in ms, hung: it opened and said nothing
 */

const READY_TIME = 5000; // ms
const REPLY_TIME = 15000;
const QUIET = 60000; // ms without a frame until a WebSocket is looked after
export const CHECK_TIME = 5000;
const POLL_WAIT = 25; // s
const HASTE = 1000; // ms: a poll that ends empty earlier was not held
const HASTE_MOST = 5000;
const LOST = { code: 0, error: 'the connection was lost' };

/** An error that the server answered, or code 0: the connection was lost. */
export class PalaverError extends Error {
  /**
   * @param {{code: number, error: string, payload?: string}} e
   * @param {number} [wait] ms, of Retry-After
   */
  constructor(e, wait = 0) {
    super(e.payload ? `${e.error}: ${e.payload}` : e.error);
    this.name = 'PalaverError';
    this.code = e.code;
    this.payload = e.payload ?? '';
    this.wait = wait || 1000 * e.payload || 0; // ms until it may be tried again
  }

  /** Whether the same may go well later: a rate, storage away, full. */
  get passing() {
    return this.code === 9 || this.code === 20 || this.code === 21;
  }
}
const STOPPED = new PalaverError(LOST);

export class Socket {
  name = 'websocket';
  #on;
  #socket;
  #timer;
  #ids = 0;
  #pending = new Map(); // id -> {resolve, reject, timer}

  constructor({ url, WebSocket }, on) {
    this.#on = on;
    this.#timer = setTimeout(() => this.#end({ hung: true }), READY_TIME);
    try {
      this.#socket = new WebSocket(url);
    } catch {
      queueMicrotask(() => this.#end({}));
      return;
    }
    this.#socket.onmessage = (e) => this.#receive(JSON.parse(e.data));
    this.#socket.onclose = ({ code, reason }) => this.#end({ code, wait: Math.random() * (code === 1012 && /\d+/.exec(reason)) });
  }

  request(type, payload, time = REPLY_TIME) {
    return new Promise((resolve, reject) => {
      const id = String(++this.#ids);
      this.#pending.set(id, { resolve, reject, timer: setTimeout(() => this.#end({}), time) });
      this.#socket.send(JSON.stringify({ type, id, [type]: payload }));
    });
  }

  follow() {}

  close() {
    this.#on.down = () => {};
    this.#end({});
  }

  #receive(frame) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.request('users', { limit: 0 }, CHECK_TIME).catch(() => {}), QUIET);
    const request = this.#pending.get(frame.id);
    if (request) {
      this.#pending.delete(frame.id);
      clearTimeout(request.timer);
      if (frame.type === 'error') request.reject(new PalaverError(frame.error));
      else request.resolve(frame[frame.type]);
    } else if (frame.type === 'ready') this.#on.up();
    else this.#on.frame(frame);
  }

  #end(why) {
    clearTimeout(this.#timer);
    if (this.#socket) {
      this.#socket.onmessage = this.#socket.onclose = null;
      this.#socket.close();
    }
    this.#on.down(why);
    this.#on.down = () => {};
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new PalaverError(LOST));
    }
    this.#pending.clear();
  }
}

export class Poll {
  name = 'poll';
  #on;
  #base;
  #fetch;
  #calls = new Set(); // AbortController of each request under way
  #polling = null; // that of the polls
  #wake = () => {};
  #who = {}; // accessKey, sessionUUID

  constructor({ base, fetch }, on) {
    this.#on = on;
    this.#base = base;
    this.#fetch = fetch;
    this.#call('health').then(() => on.up(), (e) => this.#end(e));
  }

  async request(type, payload, time = REPLY_TIME) {
    if (type === 'signOut') this.#stop();
    const who = /^sign(In|Up)/.test(type) ? {} : this.#who; // each makes a session
    const { reply } = await this.#call(type, { ...who, [type]: payload }, time);
    if (reply.accessKey) this.#who = { accessKey: reply.accessKey, sessionUUID: reply.sessionUUID };
    return reply;
  }

  /** Polls from now on, each time from the cursors that since() gives. */
  async follow(since) {
    this.#stop();
    const mine = new AbortController();
    this.#polling = mine;
    for (let empty = 0; this.#polling === mine;) {
      const from = since();
      const began = Date.now();
      let wait;
      try {
        const { reply, later } = await this.#call('events', { ...this.#who, events: { since: from, wait: POLL_WAIT } }, POLL_WAIT * 1000 + REPLY_TIME, mine);
        if (this.#polling !== mine) return;
        await this.#on.events(reply, from);
        empty = (reply.recovered && reply.frames.length) || Date.now() - began > HASTE ? 0 : empty + 1;
        wait = later || Math.min((empty - 1) * HASTE, HASTE_MOST);
      } catch (e) {
        if (this.#polling !== mine) return;
        if (!e.passing) {
          this.#end({});
          return;
        }
        empty += 1;
        wait = e.wait || Math.min(empty * HASTE, HASTE_MOST);
      }
      if (wait > 0) {
        await new Promise((resolve) => {
          this.#wake = resolve;
          setTimeout(resolve, wait);
        });
      }
    }
  }

  close() {
    this.#on.down = () => {};
    this.#stop(); // other requests may end well
  }

  /** GET without a body. Gives the payload of the reply, and Retry-After in ms. */
  async #call(type, body, time = REPLY_TIME, gone = new AbortController()) {
    const timer = setTimeout(() => gone.abort(), time);
    this.#calls.add(gone);
    let later = 0;
    let frame;
    try {
      const r = await this.#fetch(this.#base + type, body && {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), signal: gone.signal,
      });
      later = 1000 * Number(r.headers.get('Retry-After')) || 0;
      frame = await r.json();
    } catch (e) {
      if (e !== STOPPED) this.#end({ wait: later });
      throw new PalaverError(LOST);
    } finally {
      clearTimeout(timer);
      this.#calls.delete(gone);
    }
    if (frame.error) throw new PalaverError(frame.error, later);
    return { reply: frame[frame.type], later };
  }

  #stop() {
    this.#polling?.abort(STOPPED);
    this.#polling = null;
    this.#wake();
  }

  #end(why) {
    this.#stop();
    for (const gone of this.#calls) gone.abort();
    this.#on.down(why);
    this.#on.down = () => {};
  }
}
