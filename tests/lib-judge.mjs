// SPDX-License-Identifier: MIT
// The judge of the checker: what members of a run recorded, what was sent and
// acknowledged, and what the channels hold in the end. It asks nobody and says
// all that is wrong.
//
// A member has a name, the channels that it reads in the end, and records, in the order in
// which they came:
//   { kind: 'joined', channel, epoch, seq }  follows all that is behind seq
//   { kind: 'left', channel, least }         follows no more, until it joins again
//                                            or resumes; had to get all up to least
//   { kind: 'resumed', channel, recovered }  went on by cursor; no channel: all
//   { kind: 'message', channel, epoch, seq, uuid, sender, text, by }  by: transport
// and notices (lib-judge-notices.mjs).
// A send, with the run's one clock, which counts what happens:
//   { sender, by, channel, uuid, text, began, answers: [{ seq, uuid, at }] }
// where by is: member -> how often it sent this.
// A log: all messages that a channel holds in the end, as they are stored.
import { answerIsLost, told } from './lib-judge-failover.mjs';
import { judgeNotices } from './lib-judge-notices.mjs';

const same = (a, b) => a.uuid === b.uuid && a.sender === b.sender && a.text === b.text;
const of = (channel) => channel || 'general';
const who = (m) => `${m.sender} ${m.uuid}`;

/** Contiguous from 1 on (or, when the plan lost some, from wherever), each
 * message of a sender once, nothing that nobody sent. */
function judgeLog(channel, log, sent, lossy, fault) {
  const seqOf = new Map();
  log.forEach((m, i) => {
    const wanted = i ? log[i - 1].seq + 1 : 1;
    if (m.seq !== wanted && (i || !lossy)) fault('hole in the log', `${of(channel)}: ${m.seq} stands where ${wanted} should`);
    if (seqOf.has(who(m))) fault('stored twice', `${of(channel)}: ${who(m)} is ${seqOf.get(who(m))} and ${m.seq}`);
    else seqOf.set(who(m), m.seq);
    const s = sent.get(who(m));
    if (!s || s.channel !== channel || s.text !== m.text) fault('stray', `${of(channel)}: ${m.seq}, ${who(m)}, was not sent like this`);
  });
  return seqOf;
}

/** Each answer to a send is the same, and true; what was acknowledged before
 * another was sent stands before it. */
function judgeSends(sends, logs, seqsOf, { lossy, failover }, fault) {
  const placed = new Map();
  const place = (s, key, answers) => {
    const [{ seq, at }] = answers;
    if (answers.some((a) => a.seq !== seq || a.uuid !== s.uuid)) fault('answers differ', `${of(s.channel)}: ${who(s)} got ${JSON.stringify(s.answers)}`);
    if (!placed.has(key)) placed.set(key, []);
    placed.get(key).push({ seq, began: s.began, at });
  };
  for (const s of sends) {
    const log = logs[s.channel] ?? [];
    const stored = seqsOf[s.channel]?.get(who(s));
    const isLost = (a) => answerIsLost(failover, s.channel, a, stored === a.seq);
    const lost = s.answers.filter(isLost);
    const answers = s.answers.filter((a) => !isLost(a));
    if (lost.length) place(s, `${s.channel} lost`, lost);
    if (!answers.length) continue;
    place(s, s.channel, answers);
    const [{ seq }] = answers;
    const trimmed = lossy && (!log.length || seq < log[0].seq);
    if (!trimmed && stored !== seq) fault('acknowledged and missing', `${of(s.channel)}: ${who(s)} was acknowledged as ${seq}`);
  }
  for (const [channel, all] of placed) {
    let latest = { began: 0 };
    for (const s of all.sort((a, b) => a.seq - b.seq)) {
      if (s.at < latest.began) fault('overtaken', `${of(channel)}: ${s.seq} was acknowledged before ${latest.seq} was sent`);
      if (s.began > latest.began) latest = s;
    }
  }
}

/** Of one member and channel: from where it joined to the end, each once, in
 * order, and the same as in the log; while it is not in, nothing but what it sent
 * itself, once for each time. What it missed then must come when it goes on by cursor. */
function judgeChannel(name, channel, records, log, { sent, lossy, failover, wanted, lostAt }, fault) {
  const at = new Map(log.map((m) => [m.seq, m]));
  const seen = new Map(); // seq -> by what transport
  const uuids = new Map();
  const own = new Map(); // seq -> how often it came while it was not in
  let from = null; // null: never joined
  let last = null;
  let out = false;
  let gap = false;    // it was told that it misses some
  let beyond = false; // it has seen what is lost
  let anew = false;   // and was told so
  const missing = (to) => {
    for (let q = from + 1; q < to; q += 1) if (!seen.has(q)) fault('dropped', `${name}, ${of(channel)}: ${q} never came${at.has(q) ? '' : ', and is not stored'}`);
  };
  const differs = (r) => {
    const stored = (r.lost ? lostAt : at).get(r.seq);
    if (r.lost && !stored) lostAt.set(r.seq, r);
    else if (stored ? !same(stored, r) : !lossy) fault('differs', `${name}, ${of(channel)}: ${r.seq} is ${who(r)}, stored is ${stored ? who(stored) : 'nothing'}`);
  };
  const forget = () => {
    seen.clear();
    uuids.clear();
  };
  for (const r of records) {
    if (r.kind === 'joined') {
      if (from !== null && (!out || (r.seq < last && !(beyond && !r.lost)))) fault('joined anew', `${name}, ${of(channel)}: at ${r.seq} after ${last}`);
      if (from !== null && !gap) missing(last + 1);
      if (beyond && !r.lost) forget();
      out = gap = false;
      beyond = r.lost;
      from = last = r.seq;
    } else if (r.kind === 'left') {
      if (from === null || out) fault('left twice', `${name}, ${of(channel)}`);
      if (!lossy && !failover) missing((r.least ?? 0) + 1);
      out = true;
    } else if (r.kind === 'resumed' && !('channel' in r) && (out || from === null)) {
      // of the other channels
    } else if (r.kind === 'resumed') {
      if (from === null) fault('resumed before it joined', `${name}, ${of(channel)}`);
      if (!r.recovered && !lossy && !r.anew) fault('not recovered', `${name}, ${of(channel)}: behind ${last}`);
      gap ||= !r.recovered && lossy;
      out = false;
      if (r.anew?.includes(channel)) {
        missing(last + 1);
        forget();
        anew = true;
        beyond = false;
      }
    } else if (out || from === null) {
      own.set(r.seq, (own.get(r.seq) ?? 0) + 1);
      if (own.get(r.seq) > (sent.get(who(r))?.by?.[name] ?? 0)) fault(out ? 'after the leave' : 'before the join', `${name}, ${of(channel)}: ${r.seq}`);
    } else {
      if (gap && r.seq > last) {
        missing(last + 1);
        from = r.seq - 1;
        gap = false;
      }
      if (anew) from = last = r.seq - 1;
      anew = false;
      beyond ||= r.lost;
      if (seen.has(r.seq)) fault('doubled', `${name}, ${of(channel)}: ${r.seq} came again after ${last}, by ${r.by}, before by ${seen.get(r.seq)}`);
      else if (r.seq <= last) fault('swapped', `${name}, ${of(channel)}: ${r.seq} came after ${last}`);
      if (uuids.has(who(r)) && uuids.get(who(r)) !== r.seq) fault('doubled', `${name}, ${of(channel)}: ${who(r)} came as ${uuids.get(who(r))} and ${r.seq}`);
      differs(r);
      seen.set(r.seq, r.by);
      uuids.set(who(r), r.seq);
      last = Math.max(last, r.seq);
    }
  }
  if (wanted && (from === null || out)) fault('never joined', `${name}, ${of(channel)}`);
  else if (anew) fault('dropped', `${name}, ${of(channel)}: all since it was told of the loss`);
  else if (from !== null && !gap) missing((out ? last : log.at(-1)?.seq ?? from) + 1);
}

/** @returns {{what: string, text: string}[]} what is wrong; lossy: the plan
 * trimmed data, so that who resumes may be told of a gap; failover: what else was
 * lost (lib-judge-failover.mjs); truth: who is where in the end (see judgeNotices). */
export function judge({ members, sends, logs, lossy = false, failover = null, truth }) {
  const faults = [];
  const fault = (what, text) => faults.push({ what, text });
  const sent = new Map(sends.map((s) => [who(s), s]));
  const seqsOf = Object.fromEntries(Object.entries(logs).map(([channel, log]) => [channel, judgeLog(channel, log, sent, lossy, fault)]));
  judgeSends(sends, logs, seqsOf, { lossy, failover }, fault);
  const lostAt = {}; // channel -> seq -> what was lost, as it was seen
  for (const m of members) {
    const records = failover ? told(m, failover, fault) : m.records;
    for (const channel of new Set([...m.channels, ...records.filter((r) => 'channel' in r).map((r) => r.channel)])) {
      lostAt[channel] ??= new Map();
      judgeChannel(m.name, channel, records.filter((r) => !('notices' in r) && (r.channel === channel || !('channel' in r))), logs[channel] ?? [],
        { sent, lossy, failover, wanted: m.channels.includes(channel), lostAt: lostAt[channel] }, fault);
    }
  }
  judgeNotices(members, truth, lossy || Boolean(failover), fault);
  return faults;
}
