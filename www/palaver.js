// SPDX-License-Identifier: MIT
/**
 * The client library of Palaver. It stays connected: by WebSocket or, where
 * that does not get through, by long-poll, until it does. After a lost
 * connection it signs in again, gets what was missed, and repeats what was not
 * acknowledged. It keeps nothing anywhere; the access key is the page's to store.
 *
 *   const chat = new Palaver();
 *   chat.addEventListener('message', (e) => show(e.detail));
 *   await chat.signIn('ann', 'secret123');
 *   await chat.join('');
 *   await chat.send('', 'hello');
 *
 * A channel's id is '' (general), a user's UUID (the private one of the two) or
 * '#name'.
 *
 * Events (detail):
 *   state       {state, wait, transport, offline}: 'connecting'; 'live', by
 *               transport 'websocket' or 'poll'; 'waiting' wait ms until it
 *               tries again; 'closed'. offline: the device has no network
 *   authorized  the reply; again after each reconnect
 *   signedOut   by signOut(), or the key is dead
 *   joined      {id, again, ...reply}: again, after a reconnect, what was missed
 *               comes as messages
 *   message     a channelMessage: each once, in its channel's order
 *   gap         {id}: messages were missed that are lost; the newest follow
 *   leave, sys  {id, userUUID, user, type, ...}: of others
 *   fault       an error to no request
 */
import { PalaverError, Poll, Socket, CHECK_TIME } from './transport.js';

export { PalaverError };

const BACKOFF_FIRST = 500; // ms, doubled each time
const BACKOFF_MOST = 30000;
const FLOOD_WAIT = 10000; // ms after 4029
const STEADY = 10000; // ms that make a connection a good one
const MISSES = 2; // WebSockets that fail until long-poll is tried
const CLIMB_FIRST = 10000; // ms of long-poll until a WebSocket is tried, doubled
const CLIMB_MOST = 300000;
const LIVE = 'live';

/** A version 4 UUID; randomUUID is missing where the page has no TLS. */
export function newUUID() {
  if (globalThis.crypto.randomUUID) return globalThis.crypto.randomUUID();
  const b = globalThis.crypto.getRandomValues(new Uint8Array(16));
  b[6] = (b[6] & 0x0f) | 0x40;
  b[8] = (b[8] & 0x3f) | 0x80;
  const hex = [...b].map((x) => x.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

const where = (id) => (id[0] === '#' ? { channel: id.slice(1) } : { recipientUUID: id });
/** Cursors, the older first: of two of one scope the last counts. */
const list = (...cursors) => cursors.filter(Boolean).join() || undefined;

export class Palaver extends EventTarget {
  #options;
  #transport = null; // what is up
  #trial = null; // what is opened
  #state = 'closed';
  #timer = 0; // to try again, or to climb from long-poll to a WebSocket
  #steady = 0; // a timer, until the transport is
  #attempts = 0;
  #misses = 0;
  #climb = CLIMB_FIRST;
  #key = '';
  #at = {}; // cursors: all of a session, own of a sign-in, sys, user
  #channels = new Map(); // id -> {limit, known, last seq, cursors: join, notice, message}
  #unsent = new Map(); // UUID -> {id, text, resolve, reject}
  #sending = false;
  #tooLarge = false;

  /** The user that is signed in, or null: {userUUID}. */
  user = null;

  /**
   * @param {{url?: string, base?: string, WebSocket?: Function, fetch?: Function}} [options]
   *   url of the WebSocket and base of the requests: without them `ws` and
   *   `api/` beside the page
   */
  constructor(options = {}) {
    super();
    const page = globalThis.document;
    this.#options = {
      url: options.url ?? new URL('ws', page.baseURI).href.replace(/^http/, 'ws'),
      base: options.base ?? new URL('api/', page.baseURI).href,
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      fetch: options.fetch ?? globalThis.fetch.bind(globalThis),
    };
    globalThis.addEventListener?.('online', () => this.retry());
    globalThis.addEventListener?.('offline', () => {
      this.#transport?.close();
      if (this.#transport) this.#down(this.#transport, {});
      else this.#setState(this.#state);
    });
    page?.addEventListener('visibilitychange', () => {
      if (!page.hidden) this.retry();
    });
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
    this.#transport.request('users', { limit: 0 }, CHECK_TIME).catch(() => {});
    if (this.#transport.name === 'poll' && !this.#trial) {
      this.#climb = CLIMB_FIRST;
      this.#climbLater();
    }
  }

  /** Ends the connection for good. */
  close() {
    clearTimeout(this.#timer);
    clearTimeout(this.#steady);
    for (const t of [this.#trial, this.#transport]) t?.close();
    this.#trial = null;
    this.#transport = null;
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

  async signOut() {
    const gone = this.#state === LIVE && this.#transport.request('signOut', {}).catch(() => {});
    this.#forget();
    await gone;
  }

  users(page = {}) {
    return this.request('users', page);
  }

  /** Joins a channel, and again after each reconnect until leave(). */
  async join(id = '', { limit = 50 } = {}) {
    if (!this.#channels.has(id)) this.#channels.set(id, { limit, known: false, last: 0, join: '', notice: '', message: '' });
    await this.#untilLive();
    return this.#join(id);
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

  // ---- who is signed in ----

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
    Object.assign(this.#at, { own: reply.cursor, sys: '', user: '' });
    this.#emit('authorized', reply);
  }

  #forget() {
    this.#key = '';
    this.user = null;
    this.#at = {};
    this.#channels.clear();
    for (const one of this.#unsent.values()) one.reject(new PalaverError({ code: 4, error: 'signed out' }));
    this.#unsent.clear();
    this.#emit('signedOut');
  }

  /** Signs in on a new connection, and goes on where the one before ended. */
  async #resume(t) {
    const at = this.#at;
    try {
      this.#signed(await t.request('signIn', { accessKey: this.#key, since: list(at.all, at.own, at.sys, at.user) }));
      await this.#joinAll();
      at.all = '';
      this.#follow();
      this.#setState(LIVE);
      this.#pump();
    } catch (e) {
      if (t !== this.#transport) return;
      if (e.code === 4 && !e.payload) {
        this.#forget();
        this.#setState(LIVE);
        return;
      }
      if (e.code === 3) { // cursors that the server does not take
        this.#at = {};
        for (const c of this.#channels.values()) Object.assign(c, { join: '', notice: '', message: '' });
      }
      t.close();
      this.#down(t, e);
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
    const again = c.known;
    const since = again ? list(this.#at.all, c.join, c.notice, c.message) : undefined;
    const reply = await this.#transport.request('channelJoin', { ...where(id), limit: c.limit, since });
    Object.assign(c, { known: true, join: reply.cursor, notice: '', message: '' });
    if (again) {
      if (!reply.recovered) {
        c.last = 0;
        this.#emit('gap', { id });
      }
      for (const message of reply.messages.splice(0)) this.#message(id, message);
    } else {
      c.last = Math.max(c.last, reply.messages.at(-1)?.seq ?? 0);
    }
    this.#emit('joined', { ...reply, id, again });
    return reply;
  }

  // ---- what comes ----

  #follow() {
    const at = this.#at;
    this.#transport.follow(() => list(at.all, at.own, at.sys, at.user,
      ...[...this.#channels.values()].flatMap((c) => [c.join, c.notice, c.message])));
  }

  /** What a long-poll brought, and the cursor of it all. */
  async #events(reply, sent = '') {
    if (!reply.recovered) { // joining tells which channel it was
      await this.#joinAll();
      return;
    }
    for (const frame of reply.frames) this.#frame(frame);
    Object.assign(this.#at, { all: reply.cursor, own: '', sys: '', user: '' });
    for (const c of this.#channels.values()) {
      c.notice = c.message = '';
      if (sent.includes(c.join)) c.join = '';
    }
  }

  #frame(frame) {
    const { type, cursor, userUUID, user } = frame;
    const payload = frame[type];
    if (type === 'channelMessage') this.#message(this.channelOf(payload), payload, cursor);
    else if (type === 'error') this.#emit('fault', new PalaverError(payload));
    else {
      const kind = type === 'sys' ? payload.type : type;
      const what = type === 'sys' ? payload[kind] : payload;
      const inside = kind === 'channelJoin' || kind === 'channelLeave';
      const id = inside ? this.#id(what.channel, what.recipientUUID, userUUID) : undefined;
      const places = inside ? this.#channels.get(id) : this.#at;
      if (cursor && places) places[inside ? 'notice' : /^sign/.test(kind) ? 'sys' : 'user'] = cursor;
      this.#emit(type === 'channelLeave' ? 'leave' : type, { ...what, type: kind, id, user, userUUID });
    }
  }

  #message(id, message, cursor) {
    const c = this.#channels.get(id);
    if (c) {
      if (message.seq <= c.last) return; // it came by another way
      c.last = message.seq;
      if (cursor) c.message = cursor;
    }
    this.#emit('message', message);
  }

  // ---- what is sent ----

  /** Sends what is unsent, one after the other: so they keep their order. */
  async #pump() {
    if (this.#sending) return;
    this.#sending = true;
    for (const [uuid, one] of this.#unsent) {
      while (this.#unsent.has(uuid) && this.#state === LIVE && this.user) {
        try {
          const { UUID, seq } = await this.#transport.request('channelMessage', { ...where(one.id), message: one.text, UUID: uuid });
          this.#unsent.delete(uuid);
          one.resolve({ UUID, seq });
        } catch (e) {
          if (e.passing) await new Promise((resolve) => setTimeout(resolve, e.wait || 1000));
          else if (e.code !== 0 || this.#tooLarge) { // 0: repeated after the reconnect
            this.#unsent.delete(uuid);
            one.reject(this.#tooLarge ? new PalaverError({ code: 8, error: 'too large' }) : e);
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
    this.#trial = null;
    this.#transport?.close();
    this.#transport = t;
    clearTimeout(this.#steady);
    this.#steady = setTimeout(() => {
      this.#steady = 0;
      this.#attempts = 0;
      if (t.name === 'poll') return;
      this.#misses = 0;
      this.#climb = CLIMB_FIRST;
    }, STEADY);
    if (t.name === 'poll') this.#climbLater();
    if (this.#key) this.#resume(t);
    else this.#setState(LIVE);
  }

  #climbLater() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(Socket), this.#climb);
    this.#climb = Math.min(2 * this.#climb, CLIMB_MOST);
  }

  #down(t, { code, wait = 0, hung }) {
    const was = t === this.#transport;
    if (t.name === 'poll') {
      if (!was) this.#misses = MISSES - 1; // that one neither: WebSocket first
    } else if (!was || this.#steady) this.#misses = hung ? MISSES : this.#misses + 1;
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
    else if (!was && t.name === 'websocket' && this.#misses >= MISSES) this.#open(Poll);
    else if (code === 4001 || (code === 1001 && !this.#key)) this.#setState('closed'); // the next request connects
    else this.#wait(code === 4029 ? FLOOD_WAIT : wait);
  }

  #wait(least) {
    const most = Math.min(BACKOFF_MOST, BACKOFF_FIRST * 2 ** this.#attempts++);
    const wait = least + Math.random() * most;
    this.#setState('waiting', wait);
    this.#timer = setTimeout(() => this.connect(), wait);
  }

  #setState(state, wait = 0) {
    this.#state = state;
    const offline = globalThis.navigator?.onLine === false;
    this.#emit('state', { state, wait, offline, transport: this.#transport?.name ?? '' });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
