// SPDX-License-Identifier: MIT
/**
 * The two ways to the server, alike to the one who uses them: a WebSocket, and
 * HTTP with long-polls. One lives once, and tells through `on`:
 *   up(): it can be used
 *   frame(frame): an event (WebSocket)
 *   events(payload, since): what a poll brought; awaited before the next one
 *   down({code, wait, hung}): its end, unless close() came first. code: a
 *     WebSocket's, wait: ms, hung: it never said that it was ready
 */

const READY_TIME = 5000; // ms
const REPLY_TIME = 15000;
const CHECK_TIME = 5000;
const QUIET = 60000; // ms without a word until the connection is looked after
const HASTE = 1000; // ms: a poll that ends empty earlier was not held
const HASTE_MOST = 5; // times that
const LOST = { code: 0, error: 'the connection was lost' };
const REFUSED = { 403: 10, 413: 8, 429: 9 }; // HTTP status of no reply of ours -> code

/** An error that the server answered, or code 0: the connection was lost. */
export class PalaverError extends Error {
  /**
   * @param {{code: number, error: string, payload?: string}} e
   * @param {number} [wait] ms until it may be tried again
   */
  constructor({ code, error, payload = '' }, wait = 0) {
    super(payload ? `${error}: ${payload}` : error);
    this.code = code;
    this.payload = payload;
    this.wait = wait || 1000 * payload || 0;
  }

  /** Whether the same may go well later: a rate, storage away, full. */
  get passing() {
    return [9, 20, 21].includes(this.code);
  }
}
const STOPPED = new PalaverError(LOST);
const DEAF = { up() {}, frame() {}, down() {} };

class Transport {
  /** Whether it is there still: if not, down() comes. */
  check() {
    this.request('users', { limit: 0 }, CHECK_TIME).catch(() => {});
  }
}

export class Socket extends Transport {
  #on;
  #socket;
  #timer;
  #ids = 0;
  #turn = Promise.resolve(); // of the frames
  #pending = new Map(); // id -> {resolve, reject, timer}

  constructor({ url, WebSocket }, on) {
    super();
    this.#on = on;
    this.#timer = setTimeout(() => this.#end({ hung: true }), READY_TIME);
    try {
      this.#socket = new WebSocket(url);
      // What waits for a reply goes on before the next frame, also where both
      // come in one turn of the loop (ws in Node).
      this.#socket.onmessage = ({ data }) => {
        const frame = JSON.parse(data);
        this.#turn = this.#turn.then(() => this.#on !== DEAF && this.#receive(frame));
      };
      this.#socket.onclose = ({ code, reason }) => this.#end({ code, wait: Math.random() * (code === 1012 && /\d+/.exec(reason)) });
      this.#socket.onerror = () => {};
    } catch {
      queueMicrotask(() => this.#end({}));
    }
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
    this.#on = DEAF;
    this.#end();
  }

  #receive(frame) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.check(), QUIET);
    const request = this.#pending.get(frame.id);
    if (request) {
      this.#pending.delete(frame.id);
      clearTimeout(request.timer);
      if (frame.error) request.reject(new PalaverError(frame.error));
      else request.resolve(frame[frame.type]);
    } else if (frame.ready) this.#on.up();
    else this.#on.frame(frame);
  }

  #end(why) {
    clearTimeout(this.#timer);
    if (this.#socket) this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket?.close();
    const { down } = this.#on;
    this.#on = DEAF;
    down(why);
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(STOPPED);
    }
    this.#pending.clear();
  }
}

export class Poll extends Transport {
  polls = true;
  #on;
  #base;
  #fetch;
  #calls = new Set(); // AbortController of each request under way
  #polling = null; // that of the polls
  #wake = () => {};
  #who = {}; // accessKey, sessionUUID

  constructor({ base, fetch }, on) {
    super();
    this.#on = on;
    this.#base = base;
    this.#fetch = fetch;
    this.#call('health').then(() => on.up(), (e) => this.#end(e));
  }

  async request(type, payload, time) {
    if (type === 'signOut') this.#stop();
    const who = /^sign(In|Up)/.test(type) ? {} : this.#who; // each makes a session
    const { reply } = await this.#call(type, { ...who, [type]: payload }, { time });
    if (reply.accessKey) this.#who = { accessKey: reply.accessKey, sessionUUID: reply.sessionUUID };
    return reply;
  }

  /**
   * Polls from now on, each time from the cursors that since() gives. A poll may
   * be held for longer than QUIET, as the server is set: then it is renewed.
   */
  async follow(since) {
    this.#stop();
    const mine = this.#polling = new AbortController();
    const renew = () => {
      this.check();
      this.follow(since);
    };
    for (let empty = 0; this.#polling === mine;) {
      const from = since();
      const began = Date.now();
      let wait = 0;
      try {
        const { reply, later } = await this.#call('events', { ...this.#who, events: { since: from } }, { time: QUIET, gone: mine, late: renew });
        if (this.#polling !== mine) return;
        await this.#on.events(reply, from);
        empty = (reply.recovered && reply.frames.length) || Date.now() - began > HASTE ? 0 : empty + 1;
        wait = later || Math.min(empty - 1, HASTE_MOST) * HASTE;
      } catch (e) {
        if (this.#polling !== mine) return;
        if (!e.passing) this.#end({});
        wait = e.wait || Math.min(++empty, HASTE_MOST) * HASTE;
      }
      if (wait > 0) {
        await new Promise((resolve) => {
          this.#wake = resolve;
          setTimeout(resolve, wait);
        });
      }
    }
  }

  /** Other requests than polls may end well. */
  close() {
    this.#on.down = () => {};
    this.#stop();
  }

  /** GET without a body. Gives the reply's payload, and Retry-After in ms. */
  async #call(type, body, { time = REPLY_TIME, gone = new AbortController(), late = () => gone.abort() } = {}) {
    const timer = setTimeout(late, time);
    this.#calls.add(gone);
    let later = 0;
    try {
      const r = await this.#fetch(this.#base + type, body && {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), signal: gone.signal,
      });
      later = 1000 * r.headers.get('Retry-After') || 0;
      const frame = await r.json().catch((e) => {
        if (!REFUSED[r.status]) throw e;
        return { error: { code: REFUSED[r.status], error: `HTTP ${r.status}` } };
      });
      if (frame.error) throw new PalaverError(frame.error, later);
      return { reply: frame[frame.type], later };
    } catch (e) {
      if (e instanceof PalaverError) throw e;
      this.#end({ wait: later });
      throw STOPPED;
    } finally {
      clearTimeout(timer);
      this.#calls.delete(gone);
    }
  }

  #stop() {
    this.#polling?.abort(STOPPED);
    this.#polling = null;
    this.#wake();
  }

  #end(why) {
    this.#stop();
    for (const gone of this.#calls) gone.abort(STOPPED);
    this.#on.down(why);
    this.#on.down = () => {};
  }
}
