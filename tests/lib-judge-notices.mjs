// SPDX-License-Identifier: MIT
// The judge's part on notices: who came and who went. A member records, among
// what lib-judge.mjs tells of,
//   { kind: 'place', notices, epoch, seq }  follows the notices behind seq, or
//                                           has had all up to there
//   { kind: 'notice', notices, epoch, seq, user, comes, text, by }
// where notices is a channel's name, or '*' for what is everybody's.

const of = (notices) => (notices === '*' ? 'everybody' : notices || 'general');

/** Notices of one member: in order, each once, none left out but where it was
 * told where to go on; who comes was not there, who goes was. */
class Reader {
  #at = new Map();    // notices -> {epoch, seq}; none: it follows them not
  #left = new Set();
  #seen = new Map();  // notices, epoch and seq -> by what transport
  known = new Map();  // notices -> user -> whether he is there

  constructor({ name, uuid }, lossy, fault) {
    this.uuid = uuid;
    this.fault = (what, notices, text) => fault(what, `${name}, ${of(notices)}: ${text}`);
    this.lossy = lossy;
  }

  left({ channel }) {
    this.#at.delete(channel);
    this.known.delete(channel);
    this.#left.add(channel);
  }

  place({ notices, epoch, seq }) {
    const at = this.#at.get(notices);
    this.#left.delete(notices);
    if (at && (epoch === at.epoch || !this.lossy) && seq <= at.seq) return;
    if (at && !this.lossy) this.fault('notice dropped', notices, `goes on at ${seq}, after ${at.seq}`);
    this.#at.set(notices, { epoch, seq });
    this.known.set(notices, new Map());
  }

  notice({ notices, epoch, seq, user, comes, by }) {
    const at = this.#at.get(notices);
    const key = `${notices} ${epoch} ${seq}`;
    if (this.#left.has(notices)) {
      this.fault('notice after the leave', notices, String(seq));
      return;
    }
    if (this.#seen.has(key)) {
      this.fault('notice doubled', notices, `${seq} came again, by ${by}, before by ${this.#seen.get(key)}`);
      return;
    }
    this.#seen.set(key, by);
    // Its own coming stands behind the reply that counts it already.
    const ownComing = notices === '*' && user === this.uuid && seq === at?.seq;
    if (at && !ownComing && (epoch === at.epoch || !this.lossy)) {
      if (seq <= at.seq) {
        this.fault('notice swapped', notices, `${seq} came after ${at.seq}`);
        return;
      }
      if (seq > at.seq + 1) {
        this.fault('notice dropped', notices, `${seq} came after ${at.seq}`);
        this.known.delete(notices);
      }
    } else if (!ownComing) {
      this.known.delete(notices); // what came between is not known
    }
    this.#at.set(notices, { epoch, seq });
    if (!this.known.has(notices)) this.known.set(notices, new Map());
    const known = this.known.get(notices);
    if (known.get(user) === comes) this.fault('told twice', notices, `${seq}: ${user} ${comes ? 'came' : 'went'} once more`);
    known.set(user, comes);
  }
}

/**
 * @param {object[]} members with name, uuid, records, and over: it is no more there
 * @param {?Object<string, Set>} truth notices -> the users that are there in
 *   the end; what was told last of each must agree
 */
export function judgeNotices(members, truth, lossy, fault) {
  const texts = new Map();
  for (const m of members) {
    const reader = new Reader(m, lossy, fault);
    for (const r of m.records) {
      if (r.kind === 'left') reader.left(r);
      if (r.kind === 'place') reader.place(r);
      if (r.kind !== 'notice') continue;
      const key = `${r.notices} ${r.epoch} ${r.seq}`;
      if (!texts.has(key)) texts.set(key, r.text);
      else if (texts.get(key) !== r.text) fault('notice differs', `${m.name}, ${of(r.notices)}: ${r.text} is to others ${texts.get(key)}`);
      reader.notice(r);
    }
    if (m.over || !truth) continue;
    for (const [notices, known] of reader.known) {
      for (const [user, comes] of known) {
        if (truth[notices] && truth[notices].has(user) !== comes) fault('told what is not so', `${m.name}, ${of(notices)}: ${user} is ${comes ? 'not ' : ''}there`);
      }
    }
  }
}
