// SPDX-License-Identifier: MIT
// The clients of the checker: a member reads by WebSocket (signed in by itself,
// or over HTTP) or by long-poll, goes on by cursor after whatever happens, on
// either, and repeats with the same UUID what was not acknowledged. It records
// what it gets and judges nothing.
import WebSocket from 'ws';

export const pause = (ms) => new Promise((r) => setTimeout(r, ms));

const WAIT = 25;       // s that a poll waits
const AGAIN = 150;     // ms until a failed request is tried again, and twice that at most
const UNSIGNED = 4;    // the error of a session that has ended
const PASSING = new Set([0, 20, 21]); // cut off, storage away, full: to be repeated

/** An error that was answered; code 0: none was, it was cut off. */
class Failed extends Error {
  constructor(error) {
    super(`${error.code} ${error.error} ${error.payload ?? ''}`);
    this.code = error.code;
  }
}
const cutOff = (why) => new Failed({ code: 0, error: why });

/** Of a message: general '', a name, or the two of a private one. */
export const channelOf = (m) => m.channel || (m.RecipientUUID && [m.SenderUUID, m.RecipientUUID].sort().join(' '));

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
class Socket {
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
class Poll {
  kind = 'poll';
  #gone = new AbortController();

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
      if (!c.joined || since) m.joined(c, reply);
    }
    m.session = sessionUUID;
  }

  async follow() {
    const m = this.member;
    const events = async (wait) => m.events(await this.#post('events', { since: m.since(), wait }, m.session));
    if (!m.session) await this.#begin();
    try {
      m.resumed(await events(0));
      m.ready(this);
      for (;;) await events(WAIT);
    } catch (e) {
      if (e.code === UNSIGNED) m.session = '';
      throw e;
    }
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

/** One who reads and sends. */
export class Member {
  records = [];
  complaints = [];      // what should not be, and is no record
  counts = { resumes: { ws: 0, poll: 0 }, switches: 0, repeats: 0, gaps: 0, pages: 0, messages: { ws: 0, poll: 0 } };
  session = '';         // over HTTP; kept from one Poll to the next
  last = new Map();     // channel -> the latest seq
  #current = null;      // transport
  #ready = false;       // whether it is
  #before = '';         // by what it was ready the last time
  #pending = new Map(); // UUID -> send that waits for an answer
  #places = new Map();  // of what -> cursor; what comes later holds over what came before
  #away = 0;            // ms to stay away
  #lives = 0;           // transports so far
  #over = false;

  /**
   * @param {object} plan of the member
   * @param {{uuid: string, key: string}} user
   * @param {{name: string, payload: object}[]} channels and what joins them
   * @param {object} run what all share: url, socketUrls, sends, clock()
   * @param {Function} r random numbers
   */
  constructor(plan, user, channels, run, r) {
    Object.assign(this, { name: plan.name, via: plan.via, uuid: user.uuid, key: user.key, run, r });
    this.channels = channels.map((c) => ({ ...c, joined: false }));
  }

  /** What joins its channels, or joins them again since its places. */
  joins(since) {
    return this.channels.map((c) => ({ c, payload: { ...c.payload, limit: 1 + this.r.below(100), since: c.joined ? since : undefined } }));
  }

  /** Stays connected until it is over. */
  async live() {
    while (!this.#over) {
      this.#lives += 1;
      this.#current = this.via === 'ws' ? new Socket(this) : new Poll(this);
      await this.#current.follow().catch((e) => {
        if (!PASSING.has(e.code) && e.code !== UNSIGNED) this.complain(e.message);
      });
      this.#ready = false;
      this.#current.cut();
      await pause(this.#away || AGAIN * (1 + this.r()));
      this.#away = 0;
    }
  }

  over() {
    this.#over = true;
    this.#current.cut();
  }

  complain(text) {
    this.complaints.push(`${this.name} by ${this.#current.kind}: ${text}`);
  }

  // ---- what it does ----

  send({ channel, uuid, text }) {
    const c = this.channels[channel];
    const s = { sender: this.uuid, channel: c.name, uuid, text, payload: { ...c.payload, UUID: uuid, message: text }, began: this.run.clock(), answers: [], tries: 0 };
    this.run.sends.push(s);
    this.#want(s);
  }

  /** Sends one of those before again; of: which, of [0, 1). */
  repeat(of) {
    const mine = this.run.sends.filter((s) => s.sender === this.uuid && s.answers.length);
    const s = mine[Math.floor(of * mine.length)];
    if (s && this.channels.some((c) => c.name === s.channel)) this.#want(s);
  }

  /** Reads nothing for some ms. */
  stall(ms) {
    this.#current.stall(ms);
  }

  cut({ away, fresh, well }) {
    if (fresh) this.session = '';
    this.#away = away;
    this.#current.cut(well);
  }

  /** Goes on by the other transport. */
  switch(step) {
    this.via = this.via === 'ws' ? 'poll' : 'ws';
    this.cut(step);
  }

  /** Whether nothing that it sent waits for an answer. */
  get quiet() {
    return this.#pending.size === 0;
  }

  #want(s) {
    this.#pending.set(s.uuid, s);
    if (this.#ready) this.#dispatch(s);
  }

  async #dispatch(s) {
    const transport = this.#current;
    s.tries += 1;
    if (s.tries > 1) this.counts.repeats += 1;
    try {
      const { UUID, seq } = await transport.publish(s.payload);
      s.answers.push({ uuid: UUID, seq, at: this.run.clock() });
      this.#pending.delete(s.uuid);
    } catch (e) {
      if (!PASSING.has(e.code)) this.complain(e.message);
      await pause(AGAIN);
      if (this.#ready && transport === this.#current && this.#pending.has(s.uuid)) this.#dispatch(s);
    }
  }

  // ---- what the transports tell ----

  /** Where it stands. */
  since() {
    return [...this.#places.values()].join(',') || undefined;
  }

  ready(transport) {
    if (this.#before) this.counts.resumes[transport.kind] += 1;
    if (this.#before && this.#before !== transport.kind) this.counts.switches += 1;
    this.#before = transport.kind;
    this.#ready = true;
    for (const s of this.#pending.values()) this.#dispatch(s);
  }

  signedIn(reply) {
    this.#places.set('signed in', reply.cursor);
  }

  /** A reply to channelJoin: the first begins the channel, any other goes on. */
  joined(c, reply) {
    if (c.joined) {
      this.resumed(reply, { channel: c.name });
      for (const m of reply.messages) this.#message(m);
    } else {
      const seq = reply.messages.at(-1)?.seq ?? 0;
      c.joined = true;
      this.records.push({ kind: 'joined', channel: c.name, seq });
      this.last.set(c.name, seq);
    }
    this.#places.delete(c.name);
    this.#places.set(`${c.name} joined`, reply.cursor);
  }

  /** A reply to events; its cursor is that of all that the session follows. */
  events(reply) {
    if (!reply.recovered) this.resumed(reply);
    for (const f of reply.frames) this.event(f);
    this.#places.clear();
    this.#places.set('all', reply.cursor);
    return reply;
  }

  resumed({ recovered, more }, of = {}) {
    this.records.push({ kind: 'resumed', ...of, recovered });
    if (!recovered) this.counts.gaps += 1;
    if (more) this.counts.pages += 1;
  }

  /** Notices are no matter of record, and need not be gone on from. */
  event({ type, cursor, channelMessage }) {
    if (type !== 'channelMessage') return;
    this.counts.messages[this.#current.kind] += 1;
    this.#places.set(this.#message(channelMessage), cursor);
  }

  #message(m) {
    const channel = channelOf(m);
    this.records.push({ kind: 'message', channel, seq: m.seq, uuid: m.UUID, sender: m.SenderUUID, text: m.Message, by: `${this.#current.kind} ${this.#lives}` });
    this.last.set(channel, Math.max(m.seq, this.last.get(channel) ?? 0));
    return channel;
  }
}
