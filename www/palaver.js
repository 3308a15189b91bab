// SPDX-License-Identifier: MIT
/**
 * The client library of Palaver; README.md beside it tells of its events.
 *
 *   const chat = new Palaver();
 *   chat.addEventListener('message', (e) => show(e.detail));
 *   await chat.signIn('ann', 'secret123');
 *   await chat.join('');
 *   await chat.send('', 'hello');
 *
 * A channel's id is '' (general), a user's UUID (the private one) or '#name'.
 */
import { PalaverError, Poll, Socket } from './transport.js';

const BACKOFF_FIRST = 500; // ms, doubled each time
const BACKOFF_MOST = 30000;
const FLOOD_WAIT = 10000; // ms after 4029
const STEADY = 10000; // ms that make a connection a good one
const MISSES = 2; // WebSockets that fail until long-poll is tried
const CLIMB_FIRST = 10000; // ms of long-poll until a WebSocket is tried, doubled
const CLIMB_MOST = 300000;
const LIVE = 'live';

/** A version 4 UUID; crypto.randomUUID is missing where the page has no TLS. */
export function newUUID() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
  return hex.replace(/(.{8})(.{4}).(.{3}).(.{3})/, '$1-$2-4$3-8$4-');
}

const where = (id) => (id[0] === '#' ? { channel: id.slice(1) } : { recipientUUID: id });
/** Cursors as `since`, the older first: of two of one scope the last counts. */
const list = (...cursors) => cursors.filter(Boolean).join() || undefined;
/** Until what failed may be tried again. */
const until = ({ wait }) => new Promise((resolve) => setTimeout(resolve, wait || 1000));

export class Palaver extends EventTarget {
  #options;
  #transport = null; // what is up
  #trial = null; // what is being opened
  #state = 'closed';
  #timer = 0; // to try again, or to climb from long-poll to a WebSocket
  #steady = 0; // a timer, until the transport is
  #attempts = 0;
  #misses = 0;
  #climb = CLIMB_FIRST;
  #key = '';
  #at = {}; // cursors: all of the session, own of the sign-in, sys, user
  #channels = new Map(); // id -> {limit, last seq, at: {join, notice, message}: cursors}
  #unsent = new Map(); // UUID -> {id, text, resolve, reject}
  #sending = false;
  #tooLarge = false;

  /** The user that is signed in, or null: {userUUID}. */
  user = null;

  /**
   * @param {{place?: string|URL, url?: string, base?: string, WebSocket?: Function, fetch?: Function}} [options]
   *   url of the WebSocket, base of the requests: `ws` and `api/` below the place, that of the page
   */
  constructor(options = {}) {
    super();
    const { document, addEventListener: on } = globalThis;
    const below = (path) => new URL(path, options.place ?? document.baseURI).href;
    this.#options = {
      url: options.url ?? below('ws').replace('http', 'ws'),
      base: options.base ?? below('api/'),
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      fetch: options.fetch ?? ((...call) => fetch(...call)),
    };
    on?.('online', () => this.retry());
    on?.('offline', () => (this.#transport ? this.#drop(this.#transport) : this.#setState(this.#state)));
    document?.addEventListener('visibilitychange', () => document.hidden || this.retry());
  }

  get state() {
    return this.#state;
  }

  /** Connects, and stays connected until close(). */
  connect() {
    if (this.#transport || this.#trial) return;
    clearTimeout(this.#timer);
    this.#setState('connecting');
    this.#open(this.#misses < MISSES ? Socket : Poll);
  }

  /** Tries again at once when it waits; else looks whether it is connected. */
  retry() {
    if (this.#state === 'waiting') this.connect();
    if (this.#state !== LIVE) return;
    this.#transport.check();
    if (!this.#transport.polls || this.#trial || this.#climb <= 2 * CLIMB_FIRST) return;
    this.#climb = CLIMB_FIRST;
    this.#climbLater();
  }

  /** Ends the connection for good. */
  close() {
    clearTimeout(this.#timer);
    clearTimeout(this.#steady);
    this.#trial?.close();
    this.#transport?.close();
    this.#trial = this.#transport = null;
    this.#setState('closed');
  }

  /** @returns {Promise<object>} the authorized payload */
  signIn(username, password) {
    return this.#authorize('signIn', { username, password });
  }

  signUp(username, password) {
    return this.#authorize('signUp', { username, password });
  }

  /** Signs in by an access key of an earlier signIn, however long it takes. */
  resume(accessKey) {
    this.#key = accessKey;
    if (this.#state === LIVE) this.#resume(this.#transport);
    else this.connect();
    return new Promise((resolve, reject) => {
      this.addEventListener('authorized', (e) => resolve(e.detail), { once: true });
      this.addEventListener('signedOut', () => reject(new PalaverError({ code: 4, error: 'not signed in' })), { once: true });
    });
  }

  /** @returns {Promise<boolean>} whether the key is dead; without a connection it is only forgotten */
  async signOut() {
    const dead = this.#state === LIVE && this.#transport.request('signOut', {}).then(() => true, () => false);
    this.#forget();
    return dead;
  }

  users(page = {}) {
    return this.request('users', page);
  }

  /** Joins a channel, and again after each reconnect until leave(). */
  async join(id = '', { limit = 50 } = {}) {
    if (!this.#channels.has(id)) this.#channels.set(id, { limit, last: 0 });
    for (;;) {
      await this.#untilLive();
      try {
        return await this.#join(id);
      } catch (e) {
        if (e.code && !e.passing) {
          this.#channels.delete(id);
          throw e;
        }
        await until(e);
      }
    }
  }

  leave(id = '') {
    this.#channels.delete(id);
    return this.request('channelLeave', where(id));
  }

  /**
   * Sends a message, again after a lost connection, until it is stored; the
   * server stores a UUID only once. Rejects when the server refuses it.
   * @returns {Promise<{UUID: string, seq: number}>}
   */
  send(id, text, uuid = newUUID()) {
    return new Promise((resolve, reject) => {
      this.#unsent.set(uuid, { id, text, resolve, reject });
      this.#pump();
    });
  }

  /** Any request, as soon as it is connected: resolves with the reply's payload. */
  async request(type, payload = {}) {
    await this.#untilLive();
    return this.#transport.request(type, payload);
  }

  /** The id of a message's channel. */
  channelOf(message) {
    return this.#id(message.channel, message.RecipientUUID, message.SenderUUID);
  }

  #id(channel, recipient, actor) {
    if (channel) return `#${channel}`;
    return recipient === this.user?.userUUID ? actor : recipient;
  }

  async #untilLive() {
    while (this.#state !== LIVE) {
      if (this.#state === 'closed') this.connect();
      await new Promise((resolve) => this.addEventListener('state', resolve, { once: true }));
    }
  }

  // ---- who is signed in, and where ----

  async #authorize(type, payload) {
    await this.#untilLive();
    const reply = await this.#transport.request(type, payload);
    if (this.user) this.#forget();
    this.#signed(reply);
    this.#follow();
    return reply;
  }

  #signed(reply) {
    this.#key = reply.accessKey;
    this.user = { userUUID: reply.userUUID };
    this.#at = { all: this.#at.all, own: reply.cursor };
    this.#emit('authorized', reply);
  }

  #forget() {
    this.#key = '';
    this.user = null;
    this.#at = {};
    this.#channels.clear();
    for (const { reject } of this.#unsent.values()) reject(new PalaverError({ code: 4, error: 'signed out' }));
    this.#unsent.clear();
    this.#emit('signedOut');
  }

  /** Signs in on a new connection, and goes on where the one before ended. */
  async #resume(t) {
    try {
      this.#signed(await t.request('signIn', { accessKey: this.#key, since: list(...Object.values(this.#at)) }));
      await this.#joinAll();
      this.#at.all = '';
      this.#follow();
      this.#setState(LIVE);
      this.#pump();
    } catch (e) {
      if (t !== this.#transport) return;
      if (e.code === 4 && !e.payload) {
        this.#forget();
        return this.#setState(LIVE);
      }
      if (e.code === 3) { // cursors that the server does not take
        this.#at = {};
        for (const c of this.#channels.values()) c.at = {};
      }
      this.#drop(t, e);
    }
  }

  async #joinAll() {
    for (const id of [...this.#channels.keys()]) {
      await this.#join(id).catch((e) => {
        if (e.code !== 7) throw e;
        this.#channels.delete(id);
      });
    }
  }

  async #join(id) {
    const c = this.#channels.get(id);
    if (!c) return null; // left meanwhile
    const again = !!c.at;
    const since = again ? list(this.#at.all, ...Object.values(c.at)) : undefined;
    const reply = await this.#transport.request('channelJoin', { ...where(id), limit: c.limit, since });
    c.at = { join: reply.cursor };
    if (again) {
      if (!reply.recovered) {
        c.last = 0;
        this.#emit('gap', { id });
      }
      for (const m of reply.messages.splice(0)) this.#message(id, m);
    } else c.last = Math.max(c.last, reply.messages.at(-1)?.seq ?? 0);
    this.#emit('joined', { ...reply, id, again });
    return reply;
  }

  // ---- what comes ----

  #follow() {
    this.#transport.follow(() => list(...[this.#at, ...Array.from(this.#channels.values(), (c) => c.at ?? {})].flatMap(Object.values)));
  }

  /** What a long-poll brought, and the cursor of it all. */
  async #events(reply, sent = '') {
    const at = this.#at;
    if (!reply.recovered) await this.#joinAll(); // tells which channel it was
    if (at !== this.#at) return; // somebody else's, or nobody's, by now
    for (const frame of reply.frames) this.#frame(frame);
    this.#at = { all: reply.cursor };
    for (const c of this.#channels.values()) if (c.at) c.at = { join: sent.includes(c.at.join) ? '' : c.at.join };
  }

  #frame(frame) {
    const { type, cursor, userUUID, user } = frame;
    let what = frame[type];
    if (type === 'channelMessage') return this.#message(this.channelOf(what), what, cursor);
    if (type === 'error') return this.#emit('fault', new PalaverError(what));
    const kind = what.type ?? type; // a sys has one
    what = what[kind] ?? what;
    const notice = kind === 'channelJoin' || kind === 'channelLeave';
    const id = notice || kind === 'channelRead' ? this.#id(what.channel, what.recipientUUID, userUUID ?? this.user?.userUUID) : undefined;
    const at = notice ? this.#channels.get(id)?.at : this.#at;
    if (cursor && at) at[notice ? 'notice' : kind.startsWith('sign') ? 'sys' : 'user'] = cursor;
    this.#emit(kind === 'channelLeave' ? 'leave' : type, { ...what, type: kind, id, user, userUUID });
  }

  #message(id, message, cursor) {
    const c = this.#channels.get(id);
    if (c) {
      if (message.seq <= c.last) return; // it came by another way
      c.last = message.seq;
      if (cursor && c.at) c.at.message = cursor;
    }
    this.#emit('message', message);
  }

  // ---- what is sent ----

  /** Sends what is unsent, one after the other: so they keep their order. */
  async #pump() {
    if (this.#sending) return;
    this.#sending = true;
    for (const [UUID, { id, text, resolve, reject }] of this.#unsent) {
      while (this.#unsent.has(UUID) && this.#state === LIVE && this.user) {
        try {
          const { seq } = await this.#transport.request('channelMessage', { ...where(id), message: text, UUID });
          this.#unsent.delete(UUID);
          resolve({ UUID, seq });
        } catch (e) {
          if (e.passing) await until(e);
          else if (e.code || this.#tooLarge) { // 0: repeated after the reconnect
            this.#unsent.delete(UUID);
            reject(e.code ? e : new PalaverError({ code: 8, error: 'too large' }));
            this.#tooLarge = false;
          }
        }
      }
    }
    this.#sending = false;
  }

  // ---- the connection ----

  /** Opens a transport, which takes the place of the one that is up. */
  #open(Kind) {
    const t = new Kind(this.#options, {
      up: () => this.#up(t),
      frame: (frame) => this.#frame(frame),
      events: (reply, since) => this.#events(reply, since),
      down: (why) => this.#down(t, why),
    });
    this.#trial = t;
  }

  #up(t) {
    this.#transport?.close();
    this.#transport = t;
    this.#trial = null;
    clearTimeout(this.#steady);
    this.#steady = setTimeout(() => {
      this.#steady = this.#attempts = 0;
      if (t.polls) return;
      this.#misses = 0;
      this.#climb = CLIMB_FIRST;
    }, STEADY);
    if (t.polls) this.#climbLater();
    if (this.#key) {
      if (this.#state === LIVE) this.#state = 'connecting'; // requests wait until it is signed in
      this.#resume(t);
    } else this.#setState(LIVE);
  }

  #climbLater() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(Socket), this.#climb);
    this.#climb = Math.min(2 * this.#climb, CLIMB_MOST);
  }

  #drop(t, why = {}) {
    t.close();
    this.#down(t, why);
  }

  #down(t, { code, wait = 0, hung }) {
    const was = t === this.#transport;
    if (!t.polls && (!was || (this.#steady && !(code > 1006)))) this.#misses = hung ? MISSES : this.#misses + 1;
    if (t.polls && !was) this.#misses = MISSES - 1; // next time a WebSocket first
    if (was) {
      this.#transport = null;
      clearTimeout(this.#timer);
      clearTimeout(this.#steady);
      this.#trial?.close();
    }
    this.#trial = null;
    this.#tooLarge = code === 1009;
    if (code === 4001) this.#forget();
    if (this.#transport) this.#climbLater();
    else if (!was && !t.polls && this.#misses >= MISSES) this.#open(Poll);
    else if (was && !this.#key && (code === 4001 || code === 1001)) this.#setState('closed'); // the next request connects
    else {
      const most = Math.min(BACKOFF_MOST, BACKOFF_FIRST * 2 ** this.#attempts++);
      wait = (code === 4029 ? FLOOD_WAIT : wait) + Math.random() * most;
      this.#timer = setTimeout(() => this.connect(), wait);
      this.#setState('waiting', wait);
    }
  }

  #setState(state, wait = 0) {
    this.#state = state;
    const offline = globalThis.navigator?.onLine === false;
    const transport = this.#transport && (this.#transport.polls ? 'poll' : 'websocket');
    this.#emit('state', { state, wait, offline, transport });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

export { PalaverError };
