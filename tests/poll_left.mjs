// SPDX-License-Identifier: MIT
// Long-poll sessions that join, leave and join anew at random, whose replies get
// lost: a model of who is owed what. Each message and notice of the time in a
// channel comes once, in order, and none of the time between. Another run of the
// same PALAVER_SEED does the same.
import { connect, createServer } from 'node:net';
import { startRedis, startResponder, redis, ok, until, end, work } from './lib.mjs';
import { ask } from './lib-fcgi.mjs';
import { random } from './lib-plan.mjs';

const seed = Number(process.env.PALAVER_SEED ?? Math.floor(Math.random() * 2 ** 32)) >>> 0;
const WALKS = Number(process.env.PALAVER_WALKS ?? 60);
const STEPS = 40; // of a walk
const MOST = 197; // messages_most; no other word of a command is this number
console.log(`# PALAVER_SEED=${seed}`);

/** Frames that a reply holds: fewer than the setting can say. Between the
 * responder and Redis its number is replaced by this one. */
let page = MOST;
createServer((socket) => {
  const there = connect(`${work}/redis.sock`);
  socket.on('data', (said) => there.write(said.toString('latin1').replace(`$3\r\n${MOST}\r\n`, `$${String(page).length}\r\n${page}\r\n`), 'latin1'));
  there.pipe(socket);
  for (const [one, other] of [[socket, there], [there, socket]]) {
    one.on('error', () => {});
    one.on('close', () => other.destroy());
  }
}).listen(`${work}/between.sock`);

await startRedis();
await startResponder('responder', {
  PALAVER_REDIS: `unix:${work}/between.sock`, PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_MESSAGES_MOST: String(MOST),
});
async function post(type, body) {
  const { json } = await ask(`${work}/responder.sock`, type, body);
  if (json.error) throw new Error(`${type}: ${JSON.stringify(json.error)}`);
  return json[type] ?? json.authorized;
}

/** What a session may still get of an event. One that it has by the reply to a
 * join comes no more. */
const OWED = 'owed'; // must come
const MAY = 'may';   // may come: it was told otherwise, passed over, or asked for by an older cursor
const NO = 'no';     // had, or of a time that it was not there

/** What a cursor says, which is no matter of clients, but of tests. */
const placesOf = (cursor) => cursor.split(',').map((text) => {
  const [, scope, seq] = /^(.*):[^:]*:(\d+)$/.exec(text);
  return { scope, seq: Number(seq) };
});

/** A channel's messages or its notices as a session sees them; number n has seq n + 1. */
class Log {
  events = []; // { state, there: as it was said, had: by events, told: by a join }
  last = 0;    // seq of the last one that came
  add(there) {
    this.events.push({ state: there ? OWED : NO, there, had: false, told: false });
  }
}

class Channel {
  in = new Map(); // user -> its sessions that are in
  constructor(name, payload, to) {
    Object.assign(this, { name, payload, to }); // to: the payload for those who speak
  }
}

class Session {
  joins = []; // since the last events: { channel, text: its cursor }
  passed = []; // over by joins while it was in, which events do not stand behind yet: { channel, e }
  cursors = new Set(); // of notices and the like that came
  logs = new Map(); // channel -> { messages, notices }
  in = new Set();
  begin = new Map(); // channel -> where in its logs it joined
  static async open(name, username, mode) {
    const a = await post('signIn', { signIn: { username, password: 'secret123' } });
    return Object.assign(new Session(), { name, mode, user: a.userUUID, key: a.accessKey, session: a.sessionUUID, cursor: a.cursor });
  }
  post(type, payload) {
    return post(type, { accessKey: this.key, sessionUUID: this.session, [type]: payload });
  }
  of(channel) {
    if (!this.logs.has(channel)) this.logs.set(channel, { messages: new Log(), notices: new Log() });
    return this.logs.get(channel);
  }
  since() {
    const named = this.joins.filter((j, n) => this.mode === 'all' || !this.joins.slice(n + 1).some((k) => k.channel === j.channel));
    return [this.cursor, ...named.map((j) => j.text)].join();
  }
}

class Walk {
  steps = [];
  said = 0;
  constructor(n) {
    this.n = n;
    this.r = random(seed, `walk ${n}`);
  }
  step(text) {
    this.steps.push(text);
  }
  fault(text) {
    throw Object.assign(new Error(text), { fault: true });
  }

  async begin() {
    const { r, n } = this;
    page = r.pick([1, 2, 2, 3, 3, 5, 8, MOST]);
    const mode = r.pick(['all', 'latest']);
    const named = new Channel('named', { channel: `walk${n}` }, { channel: `walk${n}` });
    this.channels = [named];
    this.sessions = [];
    const users = r.pick([[0], [0], [0, 0], [0, 1]]);
    for (const [k, u] of users.entries()) this.sessions.push(await Session.open(`s${k}`, `user${n}.${u}`, mode));
    const [first] = this.sessions;
    // The private one is that of the first's user, who alone is in it.
    this.channels.push(new Channel('private', { recipientUUID: speaker.user }, { recipientUUID: first.user }));
    this.may = (s, c) => c.name === 'named' || s.user === first.user;
    this.step(`page ${page}, cursors of joins: ${mode}, users of the sessions ${users}`);
  }

  /** Something of the channel happens: who is in it is owed it. */
  happens(channel, log) {
    for (const s of this.sessions) if (this.may(s, channel)) s.of(channel)[log].add(s.in.has(channel));
  }

  async say(channel, by) {
    const text = `m${this.said += 1}`;
    const { seq } = await (by ?? speaker).post('channelMessage', { ...(by ? channel.payload : channel.to), message: text });
    this.step(`${by ? by.name : 'speaker'} says ${text} in ${channel.name}: ${seq}`);
    this.happens(channel, 'messages');
  }

  /** Counts user in or out; all in it hear of it where it is the first or last session. */
  counted(channel, user, by, after = () => {}) {
    const was = channel.in.get(user) ?? 0;
    channel.in.set(user, was + by);
    if (by < 0) after();
    if (was === 0 || was + by === 0) this.happens(channel, 'notices');
  }

  async third(channel) {
    const here = channel.in.get(third.user);
    this.step(`third ${here ? 'leaves' : 'joins'} ${channel.name}`);
    await third.post(here ? 'channelLeave' : 'channelJoin', channel.payload);
    this.counted(channel, third.user, here ? -1 : 1);
  }

  async leave(s, channel) {
    this.step(`${s.name} leaves ${channel.name}`);
    await s.post('channelLeave', channel.payload);
    if (!s.in.has(channel)) return;
    this.counted(channel, s.user, -1, () => s.in.delete(channel));
    // What a join passed over while it was in is told of once more.
    for (const p of s.passed) if (p.channel === channel && !p.e.had) p.e.state = MAY;
  }

  /** lost: 'cursor' or 'reply'. */
  async join(s, channel, limit, since, lost) {
    const was = s.in.has(channel);
    const asked = since ? s.since() : undefined;
    const told = this.steps.length;
    this.step(`${s.name} joins ${channel.name} limit ${limit}`);
    const reply = await s.post('channelJoin', { ...channel.payload, limit, since: asked });
    this.steps[told] += `${was ? ', is in it' : ''}${since ? `, since ${asked}` : ''}: ${reply.messages.map((m) => m.seq)} ${reply.cursor}${lost ? `, ${lost} lost` : ''}${reply.recovered ? '' : ', not recovered'}`;
    if (!was) {
      s.in.add(channel);
      this.counted(channel, s.user, 1);
    }
    const [places, begins] = [{}, {}];
    const older = {}; // the last place that it names without the reply's
    for (const { scope, seq } of placesOf(reply.cursor)) {
      const log = scope.endsWith('~') ? 'notices' : 'messages';
      places[log] = seq;
      older[log] = placesOf(s.since()).findLast((p) => p.scope === scope)?.seq ?? Infinity;
    }
    for (const [log, l] of Object.entries(s.of(channel))) {
      const place = places[log];
      const from = log === 'messages' ? place - reply.messages.length + 1 : place + 1; // of the reply
      const begin = was ? s.begin.get(channel)[log] : place;
      for (const [n, e] of l.events.entries()) {
        const seq = n + 1;
        if (seq > place) {
          // Asked for by cursor, or of the time since.
          if (e.state === NO && !e.had && (!was || (seq <= begin && since && !lost))) e.state = e.told ? MAY : OWED;
        } else if (seq >= from && (!was || seq <= begin)) {
          e.told = true;
          if (e.state === OWED && lost === 'reply') e.state = MAY;
          else if (lost !== 'reply') e.state = NO;
        } else if (was && seq > begin && !lost && e.state !== NO) {
          s.passed.push({ channel, e });
          e.state = NO;
        }
        // Without the reply's cursor an older one counts.
        if (lost && (!was || seq <= begin) && seq > older[log] && seq <= place && e.state === NO && !e.had) e.state = MAY;
      }
      begins[log] = Math.min(begin, place);
    }
    s.begin.set(channel, begins);
    if (!lost) s.joins.push({ channel, text: reply.cursor });
  }

  /** Takes a reply to events. known: what it might get when it was asked for;
   * within: whether it was in the private channel all the time. */
  took(s, reply, { sent, lost, known, within }) {
    if (!reply.recovered) this.fault('not recovered');
    const came = new Map();
    for (const f of reply.frames) {
      const [, scope, seq] = /^(.*):[^:]*:(\d+)$/.exec(f.cursor);
      const bare = scope.replace(/~$/, '');
      const channel = bare === `c:walk${this.n}` ? this.channels[0] : bare.startsWith('p:') ? this.channels[1] : null;
      if (!channel) {
        const note = f.sys?.channelMessage;
        if (note && within) this.fault(`it is told that there is message ${note.seq}`);
        if (s.cursors.has(f.cursor)) this.fault(`${f.cursor} comes twice`);
        if (!lost) s.cursors.add(f.cursor);
        continue;
      }
      const log = s.of(channel)[scope === bare ? 'messages' : 'notices'];
      const e = log.events[seq - 1];
      if (!e || e.state === NO || came.has(e)) this.fault(`${scope} ${seq} comes, ${!e ? 'unknown' : e.had || came.has(e) ? 'had before' : e.told ? 'told by a join' : 'of a time outside'}`);
      if (Number(seq) <= (came.get(log) ?? log.last)) this.fault(`${scope} ${seq} comes behind ${came.get(log) ?? log.last}`);
      came.set(log, Number(seq)).set(e, true);
    }
    if (lost) return;
    for (const [what, seq] of came) {
      if (what instanceof Log) what.last = seq;
      else Object.assign(what, { state: NO, had: true });
    }
    s.cursor = reply.cursor;
    s.joins = s.joins.filter((j) => !sent.includes(j));
    if (reply.more) return;
    s.passed = [];
    for (const [channel, logs] of s.logs) {
      for (const [what, log] of Object.entries(logs)) {
        for (const [n, e] of log.events.entries()) {
          if (!known.has(e)) continue;
          if (e.state === OWED) this.fault(`${what} ${n + 1} of ${channel.name} did not come`);
          e.state = NO;
        }
      }
    }
  }
  known(s) {
    return new Set([...s.logs.values()].flatMap((logs) => Object.values(logs).flatMap((log) => log.events.filter((e) => e.state !== NO))));
  }

  async poll(s, lost) {
    const [since, sent, known] = [s.since(), [...s.joins], this.known(s)];
    const told = this.steps.length;
    this.step(`${s.name} polls ${since}`);
    const reply = await s.post('events', { since, wait: 0 });
    this.steps[told] += `${lost ? ', lost' : ''}: ${reply.frames.map((f) => f.cursor.replace(/:[^:]*:/g, ':'))} ${reply.cursor}${reply.more ? ' more' : ''}`;
    this.took(s, reply, { sent, lost, known, within: s.in.has(this.channels[1]) });
    return reply;
  }

  /** A poll that waits, if it does, while something happens. */
  async parked(s, act) {
    while ((await this.poll(s, false)).more) { /* all that there is */ }
    const [since, sent, known] = [s.since(), [...s.joins], this.known(s)];
    const answer = s.post('events', { since, wait: 5 });
    let done = false;
    answer.then(() => { done = true; }, () => { done = true; });
    await until('it to wait', () => done || redis('hget', `palaver:{sys}:s:${s.session}`, 'w'));
    this.step(`${s.name} waits from ${since}`);
    await act();
    const reply = await answer;
    this.step(`${s.name} has ${reply.frames.map((f) => f.cursor.replace(/:[^:]*:/g, ':'))} ${reply.cursor}${reply.more ? ' more' : ''}`);
    this.took(s, reply, { sent, known });
  }

  async some() {
    const { r } = this;
    const s = r.pick(this.sessions);
    const channel = r.pick(this.channels.filter((c) => this.may(s, c)));
    const join = () => this.join(s, channel, r.pick([0, 0, 1, 2, 3, 10]), r.below(4) === 0, r.pick([null, null, null, 'cursor', 'reply']));
    const enter = () => (s.in.has(channel) ? this.leave(s, channel) : join());
    const what = r.below(100);
    if (what < 35) for (let n = 1 + r.below(4); n > 0; n -= 1) await this.say(channel, r.below(4) ? null : s);
    else if (what < 60) await enter();
    else if (what < 66) await join();
    else if (what < 70) await this.leave(s, channel);
    else if (what < 75 && channel.name === 'named') await this.third(channel);
    else if (what < 78) await this.parked(s, () => (s.in.has(channel) && r.below(2) ? this.say(channel) : enter()));
    else if (what < 86) await this.poll(s, true);
    else await this.poll(s, false);
  }

  async go() {
    await this.begin();
    for (let n = 0; n < STEPS; n += 1) await this.some();
    for (const s of this.sessions) {
      while ((await this.poll(s, false)).more) { /* all that there is */ }
      const { frames } = await this.poll(s, false);
      if (frames.length) this.fault('more comes');
      const left = redis('hget', `palaver:{sys}:s:${s.session}`, 'l');
      if (left) this.fault(`the record keeps ${left}`);
    }
  }
}

const speaker = await Session.open('speaker', 'speaker');
const third = await Session.open('third', 'third');
for (let n = 0; n < WALKS; n += 1) {
  const walk = new Walk(n);
  let fault = '';
  try {
    await walk.go();
  } catch (e) {
    fault = e.fault ? e.message : e.stack;
  }
  ok(!fault, `walk ${n}`, [...walk.steps, fault].join('\n').replace(/\n/g, '\n# '));
}
await end('responder');
