// SPDX-License-Identifier: MIT
// A member of the checker: reads by WebSocket or by long-poll, goes on by cursor
// after whatever happens, on either, leaves channels and joins them again, and
// repeats with the same UUID what was not acknowledged. It records what it gets
// and judges nothing.
import { AGAIN, PASSING, Poll, Socket, UNSIGNED, pause } from './lib-clients.mjs';

/** Of a message: general '', a name, or the two of a private one. */
export const channelOf = (m) => m.channel || (m.RecipientUUID && [m.SenderUUID, m.RecipientUUID].sort().join(' '));

/** What a cursor says of one scope, which is no matter of clients, but of tests;
 * j: a join gave it to a session that had left. */
const placesOf = (cursor) => cursor.split(',').map((text) => {
  const [, scope, epoch, seq] = /^(.*):j?([^:]*):(\d+)$/.exec(text);
  return { text, scope, epoch, seq: Number(seq) };
});

/** The channel of a scope of messages or notices. */
const nameOf = (scope) => scope.replace(/~$/, '').replace(/^g$/, '').replace(/^c:/, '').replace(/^p:(.*):(.*)$/, '$1 $2');

/** The channel whose notices a scope holds; '*' for what is everybody's. */
function noticesOf(scope) {
  if (scope === 'sys') return '*';
  return scope.endsWith('~') ? nameOf(scope) : null;
}

/** Whom a notice tells of, and what: come or gone. */
function told(frame) {
  const kind = frame.type === 'sys' ? frame.sys.type : frame.type;
  return { user: frame.userUUID ?? frame.sys[kind].uuid, comes: kind === 'signIn' || kind === 'channelJoin' };
}

/** One who reads and sends. */
export class Member {
  records = [];
  complaints = [];      // what should not be, and is no record
  counts = { leaves: 0, rejoins: 0, notices: 0, resumes: { ws: 0, poll: 0 }, switches: 0, repeats: 0, gaps: 0, ended: 0, pages: 0, messages: { ws: 0, poll: 0 } };
  session = '';         // over HTTP; kept from one Poll to the next
  last = new Map();     // channel -> the latest seq
  noticed = new Map();  // channel, or '*' -> the latest seq of its notices
  #current = null;      // transport
  #ready = false;       // whether it is
  #before = '';         // by what it was ready the last time
  #pending = new Map(); // UUID -> send that waits for an answer
  #places = new Map();  // of what -> cursor; what comes later holds over what came before
  #away = 0;            // ms to stay away
  #misses = null;       // what it stays away for
  #lives = 0;           // transports so far
  #sessionIs = null;    // what the session is in; null: not known
  #settling = null;     // transport by which it joins and leaves
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
    // wants: to be in; in: is; stood: scope -> where; place: where it stood when
    // it left; back: it goes on from there when it joins again.
    this.channels = channels.map((c) => ({ ...c, wants: true, in: false, stood: new Map(), place: '', back: false }));
  }

  /** What joins a new session to its channels, or joins them again since its
   * places; it has left all others. */
  joins(since) {
    for (const c of this.channels) if (c.in && !c.wants) this.left(c);
    return this.channels.filter((c) => c.wants).map((c) => ({ c, payload: this.#join(c, since) }));
  }

  #join(c, since) {
    return { ...c.payload, limit: 1 + this.r.below(100), since: c.in ? since : c.back ? c.place : undefined };
  }

  /** Stays connected until it is over. */
  async live() {
    while (!this.#over) {
      this.#lives += 1;
      if (this.#sessionIs !== this.#wanted()) this.session = '';
      this.#current = this.via === 'ws' ? new Socket(this) : new Poll(this);
      await this.#current.follow().catch((e) => {
        if (!PASSING.has(e.code) && e.code !== UNSIGNED) this.complain(e.message);
      });
      this.#ready = false;
      this.#current.cut();
      await pause(this.#away || AGAIN * (1 + this.r()));
      this.#away = 0;
      await this.#misses;
    }
  }

  over() {
    this.#over = true;
    this.#current.cut();
  }

  get isOver() {
    return this.#over;
  }

  /** Whether it follows no notices of that channel. */
  isOut(channel) {
    return channel !== '*' && !this.#isIn(channel);
  }

  complain(text) {
    this.complaints.push(`${this.name} by ${this.#current.kind}: ${text}`);
  }

  // ---- what it does ----

  send({ channel, uuid, text }) {
    const c = this.channels[channel];
    const s = { sender: this.uuid, by: {}, channel: c.name, uuid, text, payload: { ...c.payload, UUID: uuid, message: text }, began: this.run.clock(), answers: [], tries: 0 };
    this.run.sends.push(s);
    this.#want(s);
  }

  /** Sends one of those before again; of: which, of [0, 1). */
  repeat(of) {
    const mine = this.run.sends.filter((s) => s.sender === this.uuid && s.answers.length);
    const s = mine[Math.floor(of * mine.length)];
    if (s && this.channels.some((c) => c.name === s.channel)) this.#want(s);
  }

  leave({ channel, back }) {
    const c = this.channels[channel];
    if (!c.wants) return;
    Object.assign(c, { wants: false, goesOn: back });
    this.#settle();
  }

  join({ channel }) {
    this.channels[channel].wants = true;
    this.#settle();
  }

  #wanted() {
    return this.channels.filter((c) => c.wants).map((c) => c.name).join();
  }

  /** Keeps a session over HTTP that has just joined all that is wanted. */
  keep(session) {
    this.session = session;
    this.#sessionIs = this.channels.filter((c) => c.in).map((c) => c.name).join();
  }

  /** Leaves and joins until it is where it wants to be. */
  async #settle() {
    const transport = this.#current;
    const differs = () => this.channels.find((c) => c.wants !== c.in);
    if (!this.#ready || this.#settling === transport) return;
    this.#settling = transport;
    for (let c = differs(); c && this.#ready && transport === this.#current; c = differs()) {
      if (transport.kind === 'poll') this.#sessionIs = null;
      try {
        c.least = c.wants ? 0 : this.#acknowledged(c);
        await (c.wants ? transport.join(c, this.#join(c, this.since())) : transport.leave(c));
        if (transport.kind === 'poll' && this.#ready && transport === this.#current && !differs()) this.#sessionIs = this.#wanted();
      } catch (e) {
        c.least = 0;
        if (!PASSING.has(e.code) && e.code !== UNSIGNED) this.complain(e.message);
        await pause(AGAIN);
      }
    }
    if (this.#settling === transport) this.#settling = null;
  }

  /** Reads nothing for some ms. */
  stall(ms) {
    this.#current.stall(ms);
  }

  cut({ away = 0, fresh, well }) {
    if (fresh) this.session = '';
    this.#away = away;
    this.#current.cut(well);
  }

  /** Stays away until general has so many messages more. */
  miss({ missed, ...step }) {
    const enough = this.run.stored() + missed;
    this.#stayAway(() => this.run.stored() >= enough, step);
  }

  /** Stays away until the copy has taken over. */
  outlast(step) {
    this.#stayAway(() => this.run.failedOver(), step);
  }

  #stayAway(until, step) {
    this.#misses = (async () => {
      while (!this.#over && !until()) await pause(AGAIN);
    })();
    this.cut(step);
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
    s.by[this.name] = (s.by[this.name] ?? 0) + 1;
    if (s.tries > 1) this.counts.repeats += 1;
    const asked = this.run.clock();
    try {
      const { UUID, seq } = await transport.publish(s.payload);
      s.answers.push({ uuid: UUID, seq, asked, at: this.run.clock() });
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
    this.#settle();
  }

  signedIn(reply) {
    this.#places.delete('sys');
    this.#places.delete(`u:${this.uuid}`);
    this.#stands('signed in', reply.cursor);
  }

  /** A place that is to hold over those of before. */
  #stands(what, cursor) {
    this.#places.delete(what);
    this.#places.set(what, cursor);
    this.#noticesFrom(cursor);
  }

  /** From where on it follows notices, or up to where it has followed them. */
  #noticesFrom(cursor) {
    for (const { scope, epoch, seq } of placesOf(cursor)) {
      const channel = noticesOf(scope);
      if (channel === null) continue;
      this.records.push({ kind: 'place', notices: channel, epoch, seq });
      this.noticed.set(channel, seq);
    }
  }

  /** What the last poll before a leave answers names that channel no more. */
  #stood(cursor) {
    for (const { scope, text } of placesOf(cursor)) {
      this.channels.find((c) => c.in && c.name === nameOf(scope))?.stood.set(scope, text);
    }
  }

  /** Up to where it is known that messages of the channel are stored. */
  #acknowledged({ name }) {
    return Math.max(0, ...this.run.sends.filter((s) => s.channel === name).flatMap((s) => s.answers.map((a) => a.seq)));
  }

  /** It is no more in the channel. */
  left(c) {
    Object.assign(c, { place: [...c.stood.values()].join(), in: false, back: c.goesOn });
    c.stood.clear();
    for (const what of [c.name, `${c.name} joined`, `notices of ${c.name}`]) this.#places.delete(what);
    this.records.push({ kind: 'left', channel: c.name, least: c.least ?? 0 });
    c.least = 0;
    this.counts.leaves += 1;
  }

  /** A reply to channelJoin: one begins the channel, or goes on. */
  joined(c, reply) {
    if (c.place && !c.in) this.counts.rejoins += 1;
    const goesOn = c.in || c.back;
    const { epoch } = placesOf(reply.cursor).find((p) => nameOf(p.scope) === c.name && noticesOf(p.scope) === null);
    c.in = true;
    if (goesOn) {
      this.resumed(reply, { channel: c.name });
      for (const m of reply.messages) this.#message(m, epoch);
    } else {
      const seq = reply.messages.at(-1)?.seq ?? 0;
      this.records.push({ kind: 'joined', channel: c.name, epoch, seq });
      this.last.set(c.name, seq);
    }
    c.back = false;
    this.#places.delete(c.name);
    this.#places.delete(`notices of ${c.name}`);
    this.#stands(`${c.name} joined`, reply.cursor);
    this.#stood(reply.cursor);
  }

  /** A reply to events; its cursor is that of all that the session follows. */
  events(reply) {
    if (!reply.recovered) this.resumed(reply);
    for (const f of reply.frames) this.event(f);
    this.#places.clear();
    this.#stands('all', reply.cursor);
    this.#stood(reply.cursor);
    return reply;
  }

  resumed(reply, of = {}) {
    if (!reply) return;
    const { recovered, more } = reply;
    this.records.push({ kind: 'resumed', ...of, recovered });
    if (!recovered) {
      this.counts.gaps += 1;
      for (const c of this.channels) if (of.channel === c.name || !('channel' in of)) this.last.delete(c.name);
    }
    if (more) this.counts.pages += 1;
  }

  event(frame) {
    this.#stood(frame.cursor);
    if (frame.type === 'channelMessage') {
      const channel = this.#message(frame.channelMessage, placesOf(frame.cursor)[0].epoch);
      this.counts.messages[this.#current.kind] += 1;
      if (this.#isIn(channel)) this.#places.set(channel, frame.cursor);
      return;
    }
    const [{ scope, epoch, seq }] = placesOf(frame.cursor);
    const channel = noticesOf(scope);
    if (channel === null) { // the user's own
      this.#places.set(scope, frame.cursor);
      return;
    }
    this.counts.notices += 1;
    this.records.push({ kind: 'notice', notices: channel, epoch, seq, ...told(frame), text: JSON.stringify(frame), by: this.#by });
    this.noticed.set(channel, seq);
    if (channel === '*') this.#places.set(scope, frame.cursor);
    else if (this.#isIn(channel)) this.#places.set(`notices of ${channel}`, frame.cursor);
  }

  #isIn(channel) {
    return this.channels.some((c) => c.name === channel && c.in);
  }

  get #by() {
    return `${this.#current.kind} ${this.#lives}`;
  }

  #message(m, epoch) {
    const channel = channelOf(m);
    this.records.push({ kind: 'message', channel, epoch, seq: m.seq, uuid: m.UUID, sender: m.SenderUUID, text: m.Message, by: this.#by });
    if (this.#isIn(channel)) this.last.set(channel, Math.max(m.seq, this.last.get(channel) ?? 0));
    return channel;
  }
}
