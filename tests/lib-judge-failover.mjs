// SPDX-License-Identifier: MIT
// The judge's part on a failover that loses data:
//   { kept, epochs, at }
// kept: channel -> the last seq that the copy had when it took over; epochs:
// channel -> its epoch since then; at: when no answer came any more of the one
// before, but for those on their way, to what was asked until then.
// What was stored behind kept before then is lost. Who saw some of it must be
// told so, and then reads anew; nobody else may be.

/** Whether what stands there is of what was lost. */
const isLost = (failover, { channel, epoch, seq }) => epoch !== failover.epochs[channel] && seq > failover.kept[channel];

/** Whether that answer to a send is; holds: the log has the message there. */
export const answerIsLost = (failover, channel, { seq, asked, at }, holds) => Boolean(failover) && seq > failover.kept[channel]
  && (at < failover.at || (asked < failover.at && !holds));

/**
 * A member's records, with what the failover did to them: 'lost' where a place or
 * a message is lost, 'anew' where it was told so: the channels that it reads anew.
 */
export function told({ name, records }, failover, fault) {
  const beyond = new Set(); // channels of which it has seen what was lost
  const out = new Set();
  return records.map((r) => {
    if (r.kind === 'left') out.add(r.channel);
    if (r.kind === 'joined' || (r.kind === 'resumed' && 'channel' in r)) out.delete(r.channel);
    if (r.kind === 'joined' || (r.kind === 'message' && !out.has(r.channel))) {
      const lost = isLost(failover, r);
      if (lost) {
        beyond.add(r.channel);
      } else if (beyond.has(r.channel) && r.epoch === failover.epochs[r.channel]) {
        beyond.delete(r.channel);
        if (r.kind === 'message') fault('not told of the loss', `${name}, ${r.channel || 'general'}: before ${r.seq}`);
      }
      return { ...r, lost };
    }
    if (r.kind !== 'resumed' || r.recovered) return r;
    const anew = [...beyond].filter((channel) => ('channel' in r ? r.channel === channel : !out.has(channel)));
    if (!anew.length) fault('not recovered', `${name}, ${'channel' in r ? r.channel || 'general' : 'by poll'}: and had seen nothing that was lost`);
    for (const channel of anew) beyond.delete(channel);
    return { ...r, anew };
  });
}

/** How many channels of a member were read anew after the failover, and how many
 * went on across it. */
export function fates(members, failover) {
  const count = { anew: 0, over: 0 };
  for (const m of members) {
    const records = told(m, failover, () => {});
    for (const channel of m.channels) {
      const of = records.filter((r) => r.channel === channel && r.kind === 'message');
      if (records.some((r) => r.anew?.includes(channel))) count.anew += 1;
      else if (of.some((r) => r.epoch !== failover.epochs[channel]) && of.some((r) => r.epoch === failover.epochs[channel])) count.over += 1;
    }
  }
  return count;
}
