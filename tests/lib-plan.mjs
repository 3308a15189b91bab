// SPDX-License-Identifier: MIT
// The plan of a run of the checker, made of a seed: who does what when, as
// data, so that the same seed is the same plan again.

/** A stream of numbers of [0, 1) for a seed and a name (mulberry32). */
export function random(seed, name) {
  let state = seed >>> 0;
  for (const c of name) state = Math.imul(state ^ c.codePointAt(0), 0x01000193) >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return Object.assign(next, {
    below: (n) => Math.floor(next() * n),
    pick: (list) => list[Math.floor(next() * list.length)],
  });
}

function uuid(r) {
  const hex = Array.from({ length: 32 }, () => r.below(16).toString(16));
  hex[12] = '4';
  hex[16] = '89ab'[r.below(4)];
  return hex.join('').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export const LOST = 30; // messages of general, at least, that are stored before a failover and lost

/** What a member does, each with a weight. Those that only read by one
 * transport do not switch. */
const SHARES = { send: 56, burst: 8, repeat: 10, hasty: 10, cut: 10, stall: 6, switch: 40, leave: 12 };

function steps(r, member, { seconds, gap, shares, resumes }) {
  const cut = resumes.includes(member.via);
  const can = Object.entries(shares).filter(([what, weight]) => weight && (what === 'switch' ? member.switches : cut || (what !== 'cut' && what !== 'hasty')));
  const whole = can.reduce((sum, [, weight]) => sum + weight, 0);
  const draw = () => {
    let at = r() * whole;
    return can.find(([, weight]) => (at -= weight) < 0)?.[0] ?? 'send';
  };
  // Some are long, with characters of one, two and four bytes.
  const text = (n) => `${member.name} ${n}${r.below(8) ? '' : ` ${'xö😀'.repeat(r.below(1000))}.`}`;
  const message = (n) => ({ channel: r.below(member.channels.length), uuid: uuid(r), text: text(n) });
  const out = [];
  let sent = 0;
  for (let at = member.begins + gap * r(); at < seconds * 1000; at += -Math.log(1 - r()) * gap) {
    const what = draw();
    const s = { at: Math.round(at), what };
    if (what === 'send' || what === 'hasty') s.messages = [message(sent++)];
    if (what === 'burst') s.messages = Array.from({ length: 2 + r.below(8) }, () => message(sent++));
    if (what === 'stall') s.still = Math.min(r.pick([100, 1000, 6000]) * r(), seconds * 1000 - at); // ms
    if (what === 'repeat') s.of = r();            // which of those sent so far
    if (what === 'hasty') s.after = r.below(12);  // ms until the cut
    if (what === 'cut' || what === 'switch' || what === 'hasty') {
      s.away = Math.min(r.pick([0, 300, 300, 300, 300, 300, 2000, 8000]) * r(), seconds * 1000 - at); // ms
      s.fresh = r.below(2) === 0; // a new session over HTTP, not the one before
      s.well = r.below(3) === 0;  // says good-bye first
    }
    if (what === 'leave') {
      s.channel = r.below(member.channels.length);
      s.back = r.below(2) === 0; // goes on by cursor when it joins again
      const again = Math.round(at + r.pick([50, 1000, 4000]) * r());
      if (again < seconds * 1000) out.push({ at: again, what: 'join', channel: s.channel });
    }
    out.push(s);
  }
  return out;
}

/** So many messages to general at once. */
const flood = (r, many) => ({ what: 'burst', messages: Array.from({ length: many }, (_, n) => ({ channel: 0, uuid: uuid(r), text: `flood ${n}` })) });

/** In the middle the first sends so many messages to general that the second
 * and the third, who are away until it has, come back to more than a page of
 * them, or to a gap. */
function miss(r, n, all, { seconds, missed }) {
  const at = seconds * 500;
  if (n === 0) return [...all, { at: at + 100, ...flood(r, missed) }];
  if (n > 2) return all;
  return [...all.filter((s) => s.what !== 'leave' || s.channel), { at, what: 'miss', missed, fresh: n === 1, well: false }];
}

/** Two are away when the copy parts, until it has taken over; two have left a
 * channel, which they join in between, when one sends a lot. What these do else
 * makes no difference to that. */
function outlast(r, n, all, { seconds, outages }) {
  const sends = all.filter((s) => s.messages && s.what !== 'hasty');
  if (n === 0) return [...all, { at: outages[0].at + 50, ...flood(r, LOST) }];
  if (n === 5 || n === 6) return [...sends, { at: seconds * 400, what: 'outlast', fresh: false, well: n === 5 }];
  if (n === 1 || n === 2) return [...sends, { at: seconds * 300, what: 'leave', channel: 1, back: n === 1 }];
  return all;
}

/**
 * @param {{seed: number, seconds: number, members?: number, gap?: number,
 *   shares?: object, resumes?: string[], missed?: number, outages?: string[],
 *   every?: number}}
 *   options members: half begin by WebSocket, half by long-poll, every third
 *   switches; gap: ms between the steps of one, on average; resumes: by what
 *   they can go on; missed: how many messages of general two of them miss at
 *   once; outages: what befalls the servers, one each `every` ms, each at least once.
 */
export function plan({ seed, seconds, members: count = 16, gap = 500, shares = {}, resumes = ['ws', 'poll'], missed = 0, outages = [], every = 2500 }) {
  const users = count / 2;
  const kinds = outages.length;
  const befalls = kinds ? Math.max(kinds, Math.ceil(seconds * 1000 / every) - 1) : 0;
  const chance = random(seed, 'servers');
  const befall = Array.from({ length: befalls }, (_, k) => ({
    at: (k + 1) * Math.min(every, seconds * 1000 / (kinds + 1)), what: outages[k % kinds], which: chance.below(1000),
  }));
  const members = Array.from({ length: count }, (_, n) => {
    const r = random(seed, `member ${n}`);
    const user = n % users;
    const m = {
      name: `m${n}`, user, via: n % 4 < 2 ? 'ws' : 'poll', switches: resumes.length === 2 && n % 3 === 0,
      // In the end some go, of one user all, of another one of two.
      goes: n % users === 2 || n === 3,
      begins: n % 8 === 7 ? Math.round(r() * seconds * 500) : 0, // some come late
      // general, a named one, and the private one with a neighbour
      channels: [{}, { channel: user % 4 < 2 ? 'even.pairs' : 'odd-pairs' }, { with: user ^ 1 }],
    };
    let all = steps(r, m, { seconds, gap, resumes, shares: { ...SHARES, ...shares } });
    if (missed) all = miss(r, n, all, { seconds, missed });
    if (outages.includes('failover')) all = outlast(r, n, all, { seconds, outages: befall });
    return { ...m, steps: all.sort((a, b) => a.at - b.at) };
  });
  return { seed, seconds, users, members, outages: befall };
}
