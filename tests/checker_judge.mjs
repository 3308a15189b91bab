// SPDX-License-Identifier: MIT
// The checker's judge, on histories made up: a clean one passes, and each fault
// put into it is named, once and as what it is.
import { is, ok, end } from './lib.mjs';
import { judge } from './lib-judge.mjs';
import { plan } from './lib-plan.mjs';

const SENDS = 12;

/** Three members read two channels, from different places on, with resumes. */
function clean() {
  const logs = { '': [], named: [] };
  const sends = [];
  let at = 0;
  for (let n = 0; n < SENDS; n += 1) {
    const channel = n % 3 ? '' : 'named';
    const m = { seq: logs[channel].length + 1, uuid: `u${n}`, sender: `s${n % 2}`, text: `t${n}` };
    logs[channel].push(m);
    const began = (at += 1);
    const answers = [{ seq: m.seq, uuid: m.uuid, asked: at, at: (at += 1) }];
    if (n % 4 === 0) answers.push({ ...answers[0], at: at + 50 }); // repeated
    sends.push({ ...m, channel, began, answers: n === 5 ? [] : answers });
  }
  const members = ['a', 'b', 'c'].map((name, k) => ({
    name,
    channels: ['', 'named'],
    records: Object.entries(logs).flatMap(([channel, log]) => [
      { kind: 'joined', channel, seq: k },
      ...log.slice(k).flatMap((m, i) => [...(i === 2 ? [{ kind: 'resumed', channel, recovered: true }] : []), { kind: 'message', channel, ...m }]),
    ]),
  }));
  return { members, sends, logs };
}
const named = (h) => judge(h).map((f) => f.what).join();
/** What the judge says of the clean one after a change. */
function changed(change, options = {}) {
  const h = structuredClone(clean());
  change(h);
  return named({ ...h, ...options });
}
const a = (h) => h.members[0].records;
const nth = (h, n) => a(h).map((r, i) => [r, i]).filter(([r]) => r.kind === 'message' && r.channel === '')[n][1];

is(named(clean()), '', 'a clean history passes');
is(changed((h) => a(h).splice(nth(h, 4), 1)), 'dropped', 'one event dropped');
is(changed((h) => a(h).splice(nth(h, 7), 1)), 'dropped', 'the last one dropped');
is(changed((h) => a(h).splice(nth(h, 0), 1)), 'dropped', 'the first one dropped');
is(changed((h) => a(h).splice(nth(h, 4), 0, a(h)[nth(h, 4)])), 'doubled', 'one event doubled');
is(changed((h) => a(h).push(a(h)[nth(h, 1)])), 'doubled', 'one doubled much later');
is(changed((h) => {
  const [i, j] = [nth(h, 3), nth(h, 4)];
  [a(h)[i], a(h)[j]] = [a(h)[j], a(h)[i]];
}), 'swapped', 'two events swapped');
is(changed((h) => { a(h)[nth(h, 3)] = { ...a(h)[nth(h, 3)], text: 'else' }; }), 'differs', 'one that is another at one member');
is(changed((h) => { a(h)[nth(h, 3)] = { ...a(h)[nth(h, 2)], seq: a(h)[nth(h, 3)].seq }; }), 'doubled,differs', 'one that comes as the next as well');
is(changed((h) => h.logs[''].push({ ...h.logs[''][2], seq: 9 })), 'stored twice,dropped,dropped,dropped', 'a repeated send stored twice');
is(changed((h) => {
  const again = { ...h.logs[''][2], seq: 9 };
  h.logs[''].push(again);
  for (const m of h.members) m.records.push({ kind: 'message', channel: '', ...again });
}), 'stored twice,doubled,doubled,doubled', 'and sent to all');
is(changed((h) => h.sends.push({ sender: 's0', channel: '', uuid: 'x', text: 'x', began: 90, answers: [{ seq: 9, uuid: 'x', at: 91 }] })), 'acknowledged and missing', 'an acknowledged one that is not stored');
is(changed((h) => {
  h.logs[''].pop();
  for (const m of h.members) m.records = m.records.filter((r) => !(r.kind === 'message' && r.channel === '' && r.seq === 8));
}), 'acknowledged and missing', 'an acknowledged one that nobody has');
is(changed((h) => { h.logs[''].pop(); }), 'acknowledged and missing,differs,differs,differs', 'or that all have, but not the log');
is(changed((h) => { h.sends[0].answers[1].seq += 1; }), 'answers differ', 'a repeated send answered otherwise');
is(changed((h) => { h.logs[''][4].uuid = 'y'; }).split(',').sort().join(), 'acknowledged and missing,differs,differs,differs,stray', 'one that nobody sent');
is(changed((h) => { h.logs[''].splice(3, 1); }).split(',')[0], 'hole in the log', 'a hole in the log');
is(changed((h) => { h.logs[''].shift(); }).split(',')[0], 'hole in the log', 'a log that lost its first');
is(changed((h) => {
  const [one, two] = h.sends.filter((s) => s.channel === '');
  [one.began, one.answers, two.began, two.answers] = [two.began, [{ ...one.answers[0], at: two.answers[0].at }], one.began, [{ ...two.answers[0], at: one.answers[0].at }]];
}), 'overtaken', 'one stored before what was acknowledged before it was sent');
is(changed((h) => { a(h).unshift(a(h).splice(nth(h, 0), 1)[0]); }), 'before the join,dropped', 'one before the join');
is(changed((h) => { h.members[0].records = []; }), 'never joined,never joined', 'a member who got nothing at all');
is(changed((h) => { a(h).find((r) => r.kind === 'resumed').recovered = false; }), 'not recovered', 'a resume that is not recovered');

// Who leaves sees nothing of the channel until it joins again; then all that it
// missed when it goes on by cursor, and what comes from then on when not.
const leaves = (h, from, to, least) => {
  const [i, j] = [nth(h, from), nth(h, to)];
  const cut = a(h).splice(i, j - i);
  a(h).splice(i, 0, { kind: 'left', channel: '', least });
  return { i: i + 1, cut };
};
const joins = (h, { i }, seq) => a(h).splice(i, 0, { kind: 'joined', channel: '', seq });
is(changed((h) => joins(h, leaves(h, 4, 6), 6)), '', 'one who left, and joined again later on');
is(changed((h) => joins(h, leaves(h, 4, 6, a(h)[nth(h, 3)].seq), 6)), '', 'who had all of before it left');
is(changed((h) => joins(h, leaves(h, 4, 6, a(h)[nth(h, 4)].seq), 6)), 'dropped', 'or not');
is(changed((h) => joins(h, leaves(h, 4, 6), 5)), 'dropped', 'and misses one of what came then');
is(changed((h) => joins(h, leaves(h, 4, 4), 2)).split(',')[0], 'joined anew', 'and joins at a place from before it left');
is(changed((h) => {
  const { i, cut } = leaves(h, 4, 6);
  a(h).splice(i, 0, { kind: 'resumed', channel: '', recovered: true }, ...cut);
}), '', 'and went on by cursor');
is(changed((h) => {
  const { i } = leaves(h, 4, 6);
  a(h).splice(i, 0, { kind: 'resumed', channel: '', recovered: true });
}), 'dropped,dropped', 'without what it had missed');
is(changed((h) => {
  const at = leaves(h, 4, 6);
  a(h).splice(at.i, 0, at.cut[0]);
  joins(h, { i: at.i + 1 }, 6);
}), 'after the leave', 'and got one while it was not in');
is(changed((h) => {
  const at = leaves(h, 4, 6);
  h.sends.find((s) => s.uuid === at.cut[0].uuid && s.sender === at.cut[0].sender).by = { a: 1 };
  a(h).splice(at.i, 0, at.cut[0]);
  joins(h, { i: at.i + 1 }, 6);
}), '', 'which may be its own');
is(changed((h) => { leaves(h, 4, 6); a(h).splice(nth(h, 4)); }).split(',')[0], 'never joined', 'and never joined again');

// Notices: everybody's, and those of one channel.
const notices = (change = () => {}, truth = undefined) => {
  const h = structuredClone(clean());
  for (const m of h.members) {
    m.records.push({ kind: 'place', notices: '', epoch: 'e', seq: 2 });
    ['x', 'y', 'x', 'x'].forEach((user, n) => m.records.push({ kind: 'notice', notices: '', epoch: 'e', seq: 3 + n, user, comes: n !== 2, text: `${n}` }));
  }
  change(a(h), a(h).findIndex((r) => r.kind === 'notice'));
  return named({ ...h, truth });
};
is(notices(), '', 'notices in order');
is(notices((r, i) => r.splice(i, 1)), 'notice dropped', 'one dropped');
is(notices((r, i) => r.splice(i, 0, r[i])), 'notice doubled', 'one doubled');
is(notices((r, i) => { [r[i], r[i + 1]] = [r[i + 1], r[i]]; }), 'notice dropped,notice swapped', 'two swapped');
is(notices((r, i) => { r[i] = { ...r[i], text: 'else' }; }), 'notice differs,notice differs', 'one that is another to others');
is(notices((r, i) => { r[i + 2] = { ...r[i + 2], comes: true }; }), 'told twice,told twice', 'one who came twice');
is(notices((r, i) => r.splice(i + 1, 0, { kind: 'left', channel: '' })), 'never joined,notice after the leave,notice after the leave,notice after the leave', 'some after a leave');
is(notices((r) => r.push({ kind: 'place', notices: '', epoch: 'e', seq: 8 })), 'notice dropped', 'one that is passed over by the next place');
is(notices(undefined, { '': new Set(['x', 'y']) }), '', 'who came is there');
is(notices(undefined, { '': new Set(['y']) }), 'told what is not so,told what is not so,told what is not so', 'or is not');

// A plan that loses data: a gap is fine where the member was told of it.
const gap = (recovered) => (h) => {
  const i = a(h).findIndex((r) => r.kind === 'resumed' && r.channel === '');
  a(h)[i].recovered = recovered;
  a(h).splice(i + 1, 2);
};
is(changed(gap(false)), 'not recovered,dropped,dropped', 'a gap of two');
is(changed(gap(false), { lossy: true }), '', 'where the plan loses data, the member having been told');
is(changed(gap(true), { lossy: true }), 'dropped,dropped', 'not having been told');
is(changed((h) => { gap(false)(h); a(h).splice(nth(h, 3), 1); }, { lossy: true }), 'dropped', 'one that was dropped elsewhere');
is(changed((h) => { gap(false)(h); a(h).push(a(h)[nth(h, 1)]); }, { lossy: true }), 'doubled', 'one from before the gap that comes again');
is(changed((h) => { h.logs[''].splice(0, 4); h.sends = h.sends.filter((s) => s.uuid !== 'u1'); }, { lossy: true }), '', 'a log that was trimmed');

// A failover: the copy had five of general and all of the other, and a saw two
// more, of which nobody else knows.
const KEPT = 5;
const failover = { kept: { '': KEPT, named: 4 }, epochs: { '': 'new', named: 'new' }, at: 1000 };
const lostOnes = [6, 7].map((seq) => ({ seq, uuid: `x${seq}`, sender: 's0', text: `x${seq}`, epoch: 'old' }));
const toA = (h) => h.members[0].records;
function failedOver() {
  const h = structuredClone(clean());
  for (const m of h.members) {
    for (const r of m.records) if (r.kind !== 'resumed') r.epoch = r.channel === '' && r.seq > KEPT ? 'new' : 'old';
  }
  for (const s of h.sends) {
    if (s.channel !== '' || s.seq <= KEPT) continue;
    s.began += 2000;
    for (const a of s.answers) Object.assign(a, { asked: a.asked + 2000, at: a.at + 2000 });
  }
  const at = toA(h).findIndex((r) => r.epoch === 'new');
  const page = toA(h).filter((r) => r.kind === 'message' && r.channel === '' && r.seq > 3 && r.seq <= KEPT);
  toA(h).splice(at, 0, ...lostOnes.map((m) => ({ kind: 'message', channel: '', ...m })), { kind: 'resumed', recovered: false }, ...page);
  h.sends.push(...lostOnes.map((m, n) => ({ ...m, channel: '', began: 100 + n, answers: [{ seq: m.seq, uuid: m.uuid, asked: 100 + n, at: 110 + n }] })));
  h.failover = structuredClone(failover);
  return h;
}
function after(change) {
  const h = failedOver();
  change(h);
  return named(h);
}
const told = (h) => toA(h).findIndex((r) => r.recovered === false);
const lostAt = (h, seq) => toA(h).findIndex((r) => r.uuid === `x${seq}`);
is(named(failedOver()), '', 'a failover, of which it was told who saw what was lost');
is(after((h) => toA(h).splice(told(h), 1)).split(',')[0], 'not told of the loss', 'or was not');
is(after((h) => { toA(h)[told(h)].recovered = true; }).split(',')[0], 'not told of the loss', 'or was told that nothing was');
is(after((h) => { h.members[1].records.splice(8, 0, { kind: 'resumed', channel: '', recovered: false }); }).split(',')[0], 'not recovered', 'one who saw nothing of it was told of a loss');
is(after((h) => { h.members[1].records.push({ kind: 'resumed', channel: 'named', recovered: false }); }).split(',')[0], 'not recovered', 'or in a channel that lost nothing');
is(after((h) => toA(h).splice(lostAt(h, 6), 1)), 'dropped', 'one that is lost, dropped before it was');
is(after((h) => toA(h).splice(lostAt(h, 6), 0, toA(h)[lostAt(h, 6)])), 'doubled', 'or doubled');
is(after((h) => { toA(h).splice(told(h) + 2, 1); }), 'dropped', 'one that is dropped behind the loss');
is(after((h) => { toA(h).splice(told(h) + 1); }), 'dropped,never joined', 'nothing behind the loss');
is(after((h) => { h.members[2].records.splice(h.members[2].records.findIndex((r) => r.seq === KEPT), 1); }), 'dropped', 'one that the copy had, dropped');
is(after((h) => { h.failover.kept[''] = 7; }).split(',').includes('acknowledged and missing'), true, 'one that was acknowledged, that the copy had, missing');
is(after((h) => { Object.assign(h.sends.at(-1).answers[0], { asked: 2900, at: 3000 }); }), 'acknowledged and missing', 'or was asked for after the failover');
is(after((h) => { h.sends.at(-1).answers[0].at = 3000; }), '', 'but not one that was asked for before, however late its answer is');
is(after((h) => { h.sends.at(-1).answers.push({ seq: 9, uuid: 'x7', asked: 2900, at: 3000 }); h.logs[''].push({ ...lostOnes[1], seq: 9 }); }), 'dropped,dropped,dropped', 'one that was lost and is sent again is stored anew');
is(after((h) => { h.sends.at(-1).answers.push({ seq: 9, uuid: 'x7', asked: 101, at: 111 }); }), 'answers differ', 'but has one answer as long as it is not');
is(after((h) => { h.members[2].records.splice(h.members[2].records.findIndex((r) => r.epoch === 'new'), 0, { kind: 'message', channel: '', ...lostOnes[0], text: 'else' }, { kind: 'resumed', recovered: false }); }).split(',').includes('differs'), true, 'one that is lost, and another to others');

const options = { seed: 7, seconds: 5, outages: ['pub/sub cut'] };
is(JSON.stringify(plan(options)), JSON.stringify(plan(options)), 'a seed is a plan');
const kinds = ['bridge killed', 'responder killed', 'bridge stopped'];
is([...new Set(plan({ seed: 7, seconds: 1, outages: kinds, every: 2500 }).outages.map((o) => o.what))].join(), kinds.join(), 'however short, each outage is in it');
ok(JSON.stringify(plan(options).members) !== JSON.stringify(plan({ ...options, seed: 8 }).members), 'another is another');
await end();
