// SPDX-License-Identifier: MIT
/**
 * The client library of Palaver: a WebSocket that reconnects, signs in again,
 * joins its channels again and repeats what was not acknowledged. It keeps
 * nothing anywhere; the access key is the page's to store.
 *
 *   const chat = new Palaver();
 *   chat.addEventListener('message', (e) => show(e.detail));
 *   chat.connect();
 *   await chat.signIn('ann', 'secret123');
 *   await chat.join('');            // general; a user's UUID: private
 *   await chat.send('', 'hello');
 *
 * Events (detail): state {state, wait}, authorized, signedOut, joined, message,
 * leave {userUUID, ...}, sys {type, ...}, fault (an error to no request).
 */

const BACKOFF_FIRST = 500; // ms
const BACKOFF_MOST = 30000; // ms
const REPLY_TIME = 15000; // ms
const CLOSE_IDLE = 1001; // nobody has signed in
const CLOSE_RESTART = 1012;
const CLOSE_KEY_DEAD = 4001;
const ERROR_UNSIGNED = 4;
const ERROR_RATE = 9;
const ERROR_STORAGE = 20;
const ERROR_FULL = 21;

/** An error that the server answered, or 0: the connection was lost. */
export class PalaverError extends Error {
  /** @param {{code: number, error: string, payload?: string}} e */
  constructor(e) {
    super(e.payload ? `${e.error}: ${e.payload}` : e.error);
    this.name = 'PalaverError';
    this.code = e.code;
    this.payload = e.payload ?? '';
  }
}

/** A version 4 UUID; randomUUID is missing where the page has no TLS. */
export function newUUID() {
  if (globalThis.crypto.randomUUID) return globalThis.crypto.randomUUID();
  const b = globalThis.crypto.getRandomValues(new Uint8Array(16));
  b[6] = (b[6] & 0x0f) | 0x40;
  b[8] = (b[8] & 0x3f) | 0x80;
  const hex = [...b].map((x) => x.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export class Palaver extends EventTarget {
  #url;
  #Socket;
  #socket = null;
  #state = 'closed';
  #attempts = 0;
  #timer = 0;
  #ids = 0;
  #pending = new Map(); // id -> {type, resolve, reject, timer}
  #unsent = new Map(); // UUID -> {recipient, text, resolve, reject, inFlight}
  #joined = new Map(); // recipientUUID -> limit
  #seen = new Map(); // channel -> Set of UUIDs
  #key = '';

  /** The user that is signed in, or null: {userUUID, username}. */
  user = null;

  /**
   * @param {{url?: string, WebSocket?: typeof WebSocket}} [options] url of the
   *   WebSocket; without it `ws` beside the page.
   */
  constructor(options = {}) {
    super();
    this.#Socket = options.WebSocket ?? globalThis.WebSocket;
    this.#url = options.url ?? new URL('ws', globalThis.document.baseURI).href.replace(/^http/, 'ws');
    globalThis.addEventListener?.('online', () => this.retry());
    globalThis.document?.addEventListener('visibilitychange', () => {
      if (globalThis.document.visibilityState === 'visible') this.retry();
    });
  }

  get state() {
    return this.#state;
  }

  /** Connects, and stays connected until close(). */
  connect() {
    if (this.#socket || this.#state === 'waiting') return;
    this.#setState('connecting');
    const socket = new this.#Socket(this.#url);
    this.#socket = socket;
    socket.onmessage = (e) => this.#receive(JSON.parse(e.data));
    socket.onclose = (e) => this.#lost(socket, e.code, e.reason);
    socket.onerror = () => {};
  }

  /** Tries again at once when it waits to reconnect. */
  retry() {
    if (this.#state !== 'waiting') return;
    clearTimeout(this.#timer);
    this.#setState('closed');
    this.connect();
  }

  /** Ends the connection for good. */
  close() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    this.#fail(new PalaverError({ code: 0, error: 'closed' }));
    this.#setState('closed');
    socket?.close();
  }

  /** @returns {Promise<object>} the authorized payload */
  signIn(username, password) {
    return this.#authorize('signIn', { username, password });
  }

  signUp(username, password) {
    return this.#authorize('signUp', { username, password });
  }

  /** Signs in by an access key of an earlier signIn. */
  resume(accessKey) {
    return this.#authorize('signIn', { accessKey });
  }

  async signOut() {
    const gone = this.request('signOut').catch(() => {});
    this.#forget();
    await gone;
  }

  users(page = {}) {
    return this.request('users', page);
  }

  /** Joins general (''), or the private channel with a user. */
  async join(recipientUUID = '', { limit = 50 } = {}) {
    const reply = await this.request('channelJoin', { recipientUUID, limit });
    this.#joined.set(recipientUUID, limit);
    this.#seen.set(recipientUUID, new Set(reply.messages.map((m) => m.UUID)));
    this.#emit('joined', reply);
    return reply;
  }

  leave(recipientUUID = '') {
    this.#joined.delete(recipientUUID);
    return this.request('channelLeave', { recipientUUID });
  }

  /**
   * Sends a message, again after a lost connection, until it is stored; the
   * server stores a UUID only once. Rejects when the server refuses it.
   * @returns {Promise<{UUID: string, seq: number}>}
   */
  send(recipientUUID, text, uuid = newUUID()) {
    return new Promise((resolve, reject) => {
      this.#unsent.set(uuid, { recipient: recipientUUID, text, resolve, reject, inFlight: false });
      if (this.user) this.#transmit(uuid);
    });
  }

  /** Any request: resolves with the reply's payload. */
  request(type, payload = {}) {
    return new Promise((resolve, reject) => {
      if (this.#state !== 'live') {
        reject(new PalaverError({ code: 0, error: 'not connected' }));
        return;
      }
      const id = String(++this.#ids);
      const timer = setTimeout(() => this.#socket?.close(), REPLY_TIME);
      this.#pending.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ type, id, [type]: payload }));
    });
  }

  /** The channel of a message as this user names it: '' or the other's UUID. */
  channelOf(message) {
    if (!message.RecipientUUID) return '';
    return message.RecipientUUID === this.user?.userUUID ? message.SenderUUID : message.RecipientUUID;
  }

  async #authorize(type, payload) {
    await this.#untilLive();
    const reply = await this.request(type, payload);
    this.#key = reply.accessKey;
    this.user = { userUUID: reply.userUUID };
    this.#emit('authorized', reply);
    this.#flush();
    return reply;
  }

  #untilLive() {
    if (this.#state === 'live') return Promise.resolve();
    this.connect();
    return new Promise((resolve) => {
      const look = () => {
        if (this.#state !== 'live') return;
        this.removeEventListener('state', look);
        resolve();
      };
      this.addEventListener('state', look);
    });
  }

  #forget() {
    this.#key = '';
    this.user = null;
    this.#joined.clear();
    this.#seen.clear();
    for (const one of this.#unsent.values()) one.reject(new PalaverError({ code: ERROR_UNSIGNED, error: 'signed out' }));
    this.#unsent.clear();
    this.#emit('signedOut');
  }

  #flush() {
    for (const uuid of this.#unsent.keys()) this.#transmit(uuid);
  }

  async #transmit(uuid) {
    const one = this.#unsent.get(uuid);
    if (!one || one.inFlight || this.#state !== 'live') return;
    one.inFlight = true;
    try {
      const payload = { recipientUUID: one.recipient, message: one.text, UUID: uuid };
      const ack = await this.request('channelMessage', payload);
      this.#unsent.delete(uuid);
      one.resolve(ack);
    } catch (e) {
      one.inFlight = false;
      if (e.code === 0) return; // repeated after the reconnect
      if (e.code === ERROR_RATE || e.code === ERROR_STORAGE || e.code === ERROR_FULL) {
        setTimeout(() => this.#transmit(uuid), 1000 * (Number(e.payload) || 1));
        return;
      }
      this.#unsent.delete(uuid);
      one.reject(e);
    }
  }

  #receive(frame) {
    const request = frame.id === undefined ? undefined : this.#pending.get(frame.id);
    if (request) {
      this.#pending.delete(frame.id);
      clearTimeout(request.timer);
      if (frame.type === 'error') request.reject(new PalaverError(frame.error));
      else request.resolve(frame[frame.type]);
      return;
    }
    const payload = frame[frame.type];
    if (frame.type === 'ready') this.#opened();
    else if (frame.type === 'channelMessage') this.#message(payload);
    else if (frame.type === 'channelLeave') this.#emit('leave', { ...payload, userUUID: frame.userUUID });
    else if (frame.type === 'sys') this.#emit('sys', { type: payload.type, ...payload[payload.type], user: frame.user });
    else if (frame.type === 'error') this.#emit('fault', new PalaverError(payload));
  }

  #message(message) {
    const channel = this.channelOf(message);
    const seen = this.#seen.get(channel);
    if (seen?.has(message.UUID)) return;
    seen?.add(message.UUID);
    this.#emit('message', message);
  }

  async #opened() {
    this.#setState('live');
    if (!this.#key) {
      this.#attempts = 0;
      return;
    }
    try {
      const joined = [...this.#joined];
      await this.#authorize('signIn', { accessKey: this.#key });
      this.#attempts = 0;
      for (const [recipient, limit] of joined) await this.join(recipient, { limit });
    } catch (e) {
      if (e.code === ERROR_UNSIGNED) this.#forget();
      else this.#socket?.close();
    }
  }

  #lost(socket, code, reason) {
    if (socket !== this.#socket) return;
    this.#socket = null;
    this.#fail(new PalaverError({ code: 0, error: 'the connection was lost' }));
    if (code === CLOSE_KEY_DEAD) this.#forget();
    if (code === CLOSE_IDLE && !this.#key) { // the next sign-in connects
      this.#setState('closed');
      return;
    }
    const most = Math.min(BACKOFF_MOST, BACKOFF_FIRST * 2 ** this.#attempts++);
    const jitter = code === CLOSE_RESTART ? Number(/\d+/.exec(reason)?.[0] ?? most) : most;
    const wait = Math.random() * jitter;
    this.#setState('waiting', wait);
    this.#timer = setTimeout(() => this.retry(), wait);
  }

  #fail(error) {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const one of pending) {
      clearTimeout(one.timer);
      one.reject(error);
    }
  }

  #setState(state, wait = 0) {
    this.#state = state;
    this.#emit('state', { state, wait });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
