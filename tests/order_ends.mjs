// SPDX-License-Identifier: MIT
// Whose session follows less than before, for it leaves a channel, has one give way
// or signs out, is sent all that was said before, though what it asks and what it
// is told come by two connections, and a log may be being read.
import { redisLater as cli, Client, is, until, post, end, work } from './lib.mjs';
import { between, url, password, attached, http, say, got, inRedis, heard, live, follows, speaker, witness, rounds, joining } from './lib-between.mjs';

// Of a channel that is left the log may still be being read: what was said there
// before comes first.
const brief = await attached();
let own = 0;
for (let n = 0; n < 50; n += 1) {
  const channel = `brief${n}`;
  brief.send({ type: 'channelJoin', channelJoin: { channel } });
  brief.send({ type: 'channelMessage', channelMessage: { channel, message: channel } });
  brief.send({ type: 'channelLeave', id: channel, channelLeave: { channel } });
  const left = await until('the leave', () => brief.frames.findIndex((f) => f.id === channel) + 1);
  own += brief.frames.slice(0, left).filter((f) => f.channelMessage?.Message === channel).length;
}
is(own, 50, 'join, message and leave at once: the own copy comes, before the leave');

/** A session that is in the channel, which its bridge has read. */
async function inside(channel) {
  const d = await attached();
  await d.ask({ type: 'channelJoin', channelJoin: { channel } });
  await live(d, channel);
  return d;
}

// So it does where it is left over HTTP, and where it comes by the slower of the
// two connections.
const leaver = await attached();
/** What it had of a channel when it has left that, and whether it has. */
async function had(channel, ...messages) {
  const id = `left ${channel}`;
  leaver.send({ type: 'channelLeave', id, channelLeave: { channel: 'none' } });
  await until('what comes behind', () => leaver.frames.some((f) => f.id === id));
  const before = leaver.frames.slice(0, leaver.frames.findIndex((f) => f.id === `leave ${channel}` || f.id === id));
  return `${messages.map((m) => before.filter((f) => f.channelMessage?.Message === m).length)} ${await follows(leaver, channel)}`;
}

await rounds('1,1 0 false', 'channelLeave by HTTP while the log is read', async (channel) => {
  await joining(leaver, channel);
  await say(channel, channel);
  await http('channelMessage', leaver, channel, `own ${channel}`);
  await http('channelLeave', leaver, channel);
  await heard();
  between.release();
  return had(channel, channel, `own ${channel}`);
});

await rounds('1 1 true, 1', 'and what comes behind it comes true behind it', async (channel) => {
  await joining(leaver, channel);
  await say(channel, channel);
  await http('channelLeave', leaver, channel);
  await http('channelJoin', leaver, channel);
  await say(channel, `again ${channel}`);
  await heard();
  between.release();
  return `${await had(channel, channel)}, ${got(leaver, `again ${channel}`)}`;
});

await rounds('1 0 false', 'channelLeave by HTTP that is heard of before what was said', async (channel, drop) => {
  await leaver.ask({ type: 'channelJoin', channelJoin: { channel } });
  await live(leaver, channel);
  between.hold('feed');
  await say(channel, channel);
  await http('channelLeave', leaver, channel);
  await leaver.ask({ type: 'channelLeave', channelLeave: { channel: 'none' } });
  between.release(drop);
  return had(channel, channel);
});

await rounds('1 0 false', 'channelLeave on the WebSocket, whose answer comes before what was said', async (channel, drop) => {
  await leaver.ask({ type: 'channelJoin', channelJoin: { channel } });
  await live(leaver, channel);
  between.hold('feed');
  await say(channel, channel);
  await leaver.ask({ type: 'channelLeave', id: `leave ${channel}`, channelLeave: { channel } });
  between.release(drop);
  return had(channel, channel);
});

await rounds('1 1 true', 'channelLeave on the WebSocket whose answer is late, channelJoin by HTTP, then a message: it comes once', async (channel) => {
  await leaver.ask({ type: 'channelJoin', channelJoin: { channel } });
  await live(leaver, channel);
  between.hold('store');
  leaver.send({ type: 'channelLeave', id: `leave ${channel}`, channelLeave: { channel } });
  await until('the leave', async () => !await inRedis(leaver, channel));
  await http('channelJoin', leaver, channel);
  await say(channel, `again ${channel}`);
  await heard();
  between.release();
  const came = await follows(leaver, channel);
  return `${got(leaver, `again ${channel}`)} ${came}`;
});

await rounds('1 0 0 false', 'channelJoin and channelLeave by HTTP behind a request that is on its way: what was said in between', async (channel) => {
  await witness.ask({ type: 'channelJoin', channelJoin: { channel } });
  await live(witness, channel);
  between.hold('store');
  leaver.send({ type: 'channelMessage', channelMessage: { channel: 'mark', message: `asks ${channel}` } });
  await until('the request', () => between.holds(`asks ${channel}`, 'store'));
  await http('channelJoin', leaver, channel);
  await say(channel, channel);
  await http('channelLeave', leaver, channel);
  await say(channel, `behind ${channel}`);
  await heard();
  between.release();
  const came = await follows(leaver, channel);
  return `${got(leaver, channel)} ${got(leaver, `behind ${channel}`)} ${came}`;
});

/** To the user alone, who is not in that channel; the UUID of which he is told. */
const whisper = async (session) => (await post(url, 'channelMessage', { accessKey: speaker.accessKey, channelMessage: { recipientUUID: session.user, message: 'psst' } })).channelMessage.UUID;
const told = (session, uuid) => session.frames.filter((f) => f.sys?.channelMessage?.UUID === uuid).length;

// Who does not read has it when he reads on; more than the ring has as well.
for (const [type, most] of [['channelLeave', 60], ['channelLeave', 600], ['signOut', 60]]) {
  const channel = `slow${type.toLowerCase()}${most}`;
  const slow = await inside(channel);
  slow.ws._socket.pause();
  for (let n = 0; n < most; n += 1) await say(channel, `${n} ${'x'.repeat(4000)}`);
  const first = await whisper(slow);
  await http(type, slow, type === 'channelLeave' && channel);
  await heard();
  await say(channel, 'behind it');
  const last = await whisper(slow);
  await heard();
  slow.ws._socket.resume();
  const out = type === 'channelLeave' ? { type, channelLeave: { channel: 'none' }, id: 'out' } : { type: 'signIn', signIn: { username: slow.name, password }, id: 'out' };
  slow.send(out);
  await until('what comes behind', () => slow.frames.some((f) => f.id === 'out'));
  const came = slow.frames.filter((f) => f.channelMessage?.channel === channel).map((f) => parseInt(f.channelMessage.Message, 10));
  came.splice(0, came.indexOf(0)); // what was said to see it live
  is(`${came.findIndex((k, n) => k !== n)} ${came.length}`, `-1 ${most}`, `who does not read and does ${type} by HTTP has had all of ${most} that were said before, and no more`);
  is(`${told(slow, first)} ${told(slow, last)}`, type === 'signOut' ? '1 0' : '1 1', 'and is told of a private message behind it unless it has signed out');
  is(await follows(slow, channel), '0 false', 'and then follows it no more');
  slow.ws.close();
}

// Who signs out, or in as another user, leaves all at once; and a join beyond the
// limit takes its session out of the channel joined longest ago.
/** The answer of that id, when that is there; how often each message came before. */
async function before(session, id, ...messages) {
  const at = await until(`the answer ${id}`, () => session.frames.findIndex((f) => f.id === id) + 1);
  const came = session.frames.slice(0, at);
  const count = (m) => came.filter((f) => f.channelMessage?.Message === m || f.sys?.channelMessage?.UUID === m).length;
  return `${came[at - 1].type} ${messages.map(count)}`;
}
await rounds('signOut 1', 'message and signOut at once on the WebSocket: the own copy comes, before the answer', async (channel) => {
  const d = await inside(channel);
  d.send({ type: 'channelMessage', channelMessage: { channel, message: channel } });
  d.send({ type: 'signOut', id: 'out' });
  const came = await before(d, 'out', channel);
  d.ws.close();
  return came;
});

for (const [what, request] of [['signOut', { type: 'signOut' }], ['signIn as somebody else', { type: 'signIn', signIn: { username: 'else', password } }]]) {
  await rounds(`${request.type === 'signIn' ? 'authorized' : 'signOut'} 1,1, 1`, `${what} on the WebSocket, whose answer comes before what was said`, async (channel, drop) => {
    const d = await inside(channel);
    between.hold('feed');
    await say(channel, channel);
    const told = await whisper(d);
    d.send({ ...request, id: 'out' });
    const came = await before(d, 'out', channel, told);
    await say(channel, `behind ${channel}`);
    between.release(drop);
    await heard();
    d.ws.close();
    return `${came}, ${got(d, channel) + got(d, `behind ${channel}`)}`;
  });
}

await rounds('authorized 1, 1 true', 'signIn as the same user: what it is told of comes once', async (_, drop) => {
  const d = await attached();
  await heard();
  between.hold('feed');
  const told = await whisper(d);
  d.send({ type: 'signIn', id: 'in', signIn: { accessKey: d.key } });
  const came = await before(d, 'in', told);
  between.release(drop);
  await heard();
  const again = await whisper(d);
  const count = (uuid) => d.frames.filter((f) => f.sys?.channelMessage?.UUID === uuid).length;
  await until('what it is told of behind', () => count(again));
  d.ws.close();
  return `${came}, ${count(told)} ${count(again) === 1}`;
});

await rounds('1', 'signIn as the same user whose answer is late: what it is told of comes once', async () => {
  const d = await attached();
  between.hold('store');
  d.send({ type: 'signIn', id: 'in', signIn: { accessKey: d.key } });
  await until('the signIn', async () => !await inRedis(d, 'mark'));
  const told = await whisper(d);
  await heard();
  between.release();
  await before(d, 'in');
  await heard();
  await d.ask({ type: 'users', users: { limit: 0 } });
  d.ws.close();
  return d.frames.filter((f) => f.sys?.channelMessage?.UUID === told).length;
});

await rounds('0 true 1', 'signIn as the same user with since: what it was not told of before comes', async () => {
  const d = await attached();
  const { cursor } = (await post(url, 'signIn', { signIn: { username: d.name, password } })).authorized;
  d.ws.close();
  const missed = await whisper(d);
  const again = await Client.open(`ws+unix://${work}/b1.sock:/ws`);
  await again.ask({ type: 'signIn', signIn: { accessKey: d.key } }, 'authorized');
  await whisper(d);
  await until('what it is told of behind', () => again.frames.some((f) => f.sys?.channelMessage));
  const before = told(again, missed);
  again.send({ type: 'signIn', id: 'in', signIn: { accessKey: d.key, since: cursor } });
  const { authorized } = await until('the answer', () => again.frames.find((f) => f.id === 'in'));
  await heard();
  await again.ask({ type: 'users', users: { limit: 0 } });
  again.ws.close();
  return `${before} ${authorized.recovered} ${told(again, missed)}`;
});

/** A session that signs in anew by another key; its answer is late, and one of the two keys dies. */
async function keyDies(former) {
  const d = await attached();
  const { accessKey } = (await post(url, 'signIn', { signIn: { username: d.name, password } })).authorized;
  between.hold('store');
  d.send({ type: 'signIn', id: 'in', signIn: { accessKey } });
  await until('the signIn', async () => !await inRedis(d, 'mark'));
  await post(url, 'signOut', { accessKey: former ? d.key : accessKey });
  await heard();
  between.release();
  return d;
}

await rounds('authorized 0 1', 'signIn by another key whose answer is late: the former key, which dies meanwhile, does not end it', async () => {
  const d = await keyDies(true);
  const came = await before(d, 'in').catch(() => '');
  const uuid = await whisper(d);
  await until('what it is told of', () => d.code || told(d, uuid));
  d.ws.close();
  return `${came.trim()} ${d.code} ${told(d, uuid)}`;
});

await rounds('4001', 'and that other key, which dies meanwhile, ends it', async () => {
  const d = await keyDies(false);
  await until('the end', () => d.code, 2000).catch(() => {});
  return d.code;
});

// Also where something of another channel was done by HTTP before, and is heard of
// meanwhile.
for (const command of ['', 'channelJoin', 'channelLeave']) {
  for (const [type, payload] of [['channelLeave', (channel) => ({ channelLeave: { channel } })], ['signOut', () => ({})]]) {
    await rounds('0, 0', `${type} on the WebSocket whose answer is late${command && `, behind a ${command} by HTTP`}: that comes before what it announces, and nothing that was said behind`, async (channel) => {
      const d = await inside(channel);
      const other = `other${channel}`;
      if (command === 'channelLeave') await d.ask({ type: 'channelJoin', channelJoin: { channel: other } });
      if (command) {
        between.hold('feed');
        await http(command, d, other);
      }
      between.hold('store');
      d.send({ type, id: 'out', ...payload(channel) });
      await until('the end of it', async () => !await inRedis(d, channel));
      await say(channel, `behind ${channel}`);
      between.letGo('feed');
      await heard();
      between.release();
      const at = await until('the answer', () => d.frames.findIndex((f) => f.id === 'out') + 1);
      d.ws.close();
      const announced = d.frames.slice(0, at - 1).filter((f) => f.type === type || f.sys?.signOut?.uuid === d.user);
      return `${announced.length}, ${got(d, `behind ${channel}`)}`;
    });
  }
}

await rounds('0 false', 'channelJoin by HTTP that is heard of late, then channelLeave on the WebSocket: nothing that was said behind', async (channel) => {
  const d = await attached();
  await witness.ask({ type: 'channelJoin', channelJoin: { channel } });
  await live(witness, channel);
  between.hold('feed');
  await http('channelJoin', d, channel);
  between.hold('store');
  d.send({ type: 'channelLeave', id: 'out', channelLeave: { channel } });
  await until('the leave', async () => !await inRedis(d, channel));
  await say(channel, channel);
  between.letGo('feed');
  await heard();
  between.release();
  await until('the answer', () => d.frames.some((f) => f.id === 'out'));
  const came = `${got(d, channel)} ${await inRedis(d, channel)}`;
  d.ws.close();
  return came;
});

await rounds('0 1 0 false', 'channelLeave on the WebSocket whose answer is late, channelJoin, a message and channelLeave by HTTP: it comes once, behind the answer', async (channel) => {
  const d = await inside(channel);
  between.hold('feed');
  await say(channel, `before ${channel}`);
  between.hold('store');
  d.send({ type: 'channelLeave', id: 'out', channelLeave: { channel } });
  await until('the leave', async () => !await inRedis(d, channel));
  between.letGo('feed');
  await http('channelJoin', d, channel);
  await say(channel, channel);
  await http('channelLeave', d, channel);
  await heard();
  between.release();
  const at = await until('the answer', () => d.frames.findIndex((f) => f.id === 'out') + 1);
  const early = d.frames.slice(0, at).filter((f) => f.channelMessage?.Message === channel).length;
  const came = await follows(d, channel);
  d.ws.close();
  return `${early} ${got(d, channel)} ${came}`;
});

await rounds('1, 0', 'signOut by HTTP while the log is read', async (channel) => {
  const d = await attached();
  await joining(d, channel);
  await say(channel, channel);
  await http('signOut', d);
  await say(channel, `behind ${channel}`);
  await heard();
  between.release();
  await until('the end', async () => { d.send({ type: 'users', id: 'end' }); return (await until('an answer', () => d.frames.find((f) => f.id === 'end'))).error?.code === 4; });
  d.ws.close();
  return `${got(d, channel)}, ${got(d, `behind ${channel}`)}`;
});

const many = await attached();
const channels = ['mark'];
for (let n = 1; n < 64; n += 1) {
  channels.push(`many${n}`);
  await many.ask({ type: 'channelJoin', channelJoin: { channel: `many${n}` } });
}
await rounds('channelJoin 1, 0 false', 'channelJoin beyond the limit on the WebSocket, whose answer comes before what was said', async (channel, drop) => {
  const oldest = channels.shift();
  channels.push(channel);
  await heard();
  between.hold('feed');
  await say(oldest, channel);
  many.send({ type: 'channelJoin', id: channel, channelJoin: { channel } });
  const came = await before(many, channel, channel);
  between.release(drop);
  return `${came}, ${await follows(many, oldest)}`;
});

await rounds('1 0 false, 1 true', 'channelJoin beyond the limit by HTTP that is heard of before what was said', async (channel, drop) => {
  const oldest = channels.shift();
  channels.push(channel);
  await heard();
  between.hold('feed');
  await say(oldest, channel);
  await http('channelJoin', many, channel);
  await say(oldest, `behind ${channel}`);
  await many.ask({ type: 'channelLeave', channelLeave: { channel: 'none' } });
  between.release(drop);
  const out = await follows(many, oldest);
  return `${got(many, channel) + got(many, `behind ${channel}`)} ${out}, ${await follows(many, channel)}`;
});

await rounds('1 1 true', 'channelJoin beyond the limit on the WebSocket whose answer is late, the other channel joined anew by HTTP, then a message: it comes once', async (channel) => {
  const [oldest] = channels.splice(0, 2);
  channels.push(channel, oldest);
  await heard();
  between.hold('store');
  many.send({ type: 'channelJoin', id: channel, channelJoin: { channel } });
  await until('the join', () => inRedis(many, channel));
  await http('channelJoin', many, oldest);
  await say(oldest, `again ${channel}`);
  await heard();
  between.release();
  await before(many, channel);
  const came = await follows(many, oldest);
  return `${got(many, `again ${channel}`)} ${came}`;
});

// Of a join whose answer was lost Redis knows, and its bridge does not: which channel
// gives way to the next is for Redis to say.
await many.ask({ type: 'channelLeave', channelLeave: { channel: channels.pop() } });
await heard();
between.hold('store');
many.send({ type: 'channelJoin', id: 'lost', channelJoin: { channel: 'lost' } });
await until('the join', () => inRedis(many, 'lost'));
await http('channelJoin', many, 'beyond');
await heard();
between.drop('store');
between.release();
await until('the answer', () => many.frames.some((f) => f.id === 'lost'));
await until('what the bridge knows', async () => !await inRedis(many, 'lost'));
for (const channel of [channels[0], channels[1], 'beyond']) {
  const there = await follows(many, channel);
  is(there, channel === channels[0] ? '0 false' : '1 true', `behind a join whose answer was lost: bridge and Redis agree about ${channel}`);
}

// What cannot be had in time is not passed over.
const stuck = await attached();
await joining(stuck, 'stuck');
await http('channelLeave', stuck, 'stuck');
await until('the end', () => stuck.code, 8000).catch(() => {});
is(stuck.code, 4008, 'who waits for a log in vain before a leave is closed with 4008');
between.release();
await end('b1', 'responder');
