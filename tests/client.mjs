// SPDX-License-Identifier: MIT
// The client library without a page: what closes and refuses it, and that it
// never hammers at the servers.
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { webcrypto } from 'node:crypto';
import WebSocket from 'ws';
import { startRedis, startResponder, startBridge, startNginx, start, stop, post, freePort, ok, is, until, end, top, work } from './lib.mjs';
import { Net } from './lib-net.mjs';

// As a module, which its name does not say; and what Node 18 keeps to itself.
globalThis.crypto ??= webcrypto;
globalThis.CustomEvent ??= class extends Event {
  constructor(type, { detail }) {
    super(type);
    this.detail = detail;
  }
};
cpSync(`${top}/www`, `${work}/www`, { recursive: true });
writeFileSync(`${work}/www/package.json`, '{ "type": "module" }');
const { Palaver } = await import(`${work}/www/palaver.js`);

const SIZE = 45 * 1024; // bytes of the page and the library, without comments
const page = readdirSync(`${top}/www`).filter((f) => /\.(js|css|html)$/.test(f)).map((f) => readFileSync(`${top}/www/${f}`, 'utf8')).join('');
const bytes = Buffer.byteLength(page.replace(/\/\*.*?\*\/\s*|(?<!:)\/\/[^\n]*|<!--.*?-->/gs, ''));
ok(bytes < SIZE, `the page is small: ${bytes} bytes without comments, ${Buffer.byteLength(page)} with them`);
const limits = { PALAVER_REQUEST_RATE: '0', PALAVER_MESSAGE_RATE: '8/2', PALAVER_SIGN_IN_RATE: '0' };
await startRedis();
await startResponder('r1', { ...limits, PALAVER_POLL_SLOTS: '2' });
await startBridge('bridge', limits);
await startBridge('strict', { ...limits, PALAVER_REQUEST_RATE: '20/10' });
await startResponder('fast', { ...limits, PALAVER_MESSAGE_RATE: '0' });
const url = await startNginx(['r1'], ['bridge']);
const fast = await startNginx(['fast'], ['bridge'], 'fast-web');
await startResponder('slow', { ...limits, PALAVER_POLL_WAIT: '120', PALAVER_POLL_WAIT_MOST: '120' });
const slow = await startNginx(['slow'], ['bridge'], 'slow-web');
const strict = await startNginx(['r1'], ['strict'], 'strict-web');

const trim = (most, scope = 'g') => execFileSync('redis-cli', ['-s', `${work}/redis.sock`, 'ltrim', `palaver:{${scope}}:l`, String(-most), '-1']);
const writer = (await post(fast, 'signIn', { signIn: { username: 'writer', password: 'secret123' } })).authorized;
/** Somebody writes that many messages: their texts. */
async function written(count) {
  const texts = [];
  for (let n = 0; n < count; n += 1) {
    texts.push(`text ${n}`);
    await post(fast, 'channelMessage', { accessKey: writer.accessKey, channelMessage: { message: texts[n] } });
  }
  return texts;
}

/** The library behind a network of its own; all that it told. */
class Person {
  told = [];
  asked = []; // requests over HTTP
  held = 0; // polls that were told when to come again
  due = 0; // when
  hasty = 0; // polls that came earlier
  static async open(ways = 'open', to = url) {
    const p = new Person();
    p.net = await Net.before(to);
    p.net.ways = ways;
    p.chat = new Palaver({
      url: `${p.net.url.replace('http', 'ws')}/ws`, base: `${p.net.url}/api/`,
      WebSocket: class extends WebSocket {
        send(frame) {
          super.send(p.spoil ? p.spoil(frame) : frame);
        }
      },
      fetch: async (where, what) => {
        const type = where.replace(/.*\//, '');
        p.asked.push(type);
        if (type === 'events' && Date.now() < p.due) p.hasty += 1;
        const reply = await fetch(where, p.change ? p.change(what) : what);
        if (type === 'events' && reply.headers.has('Retry-After')) {
          p.held += 1;
          p.due = Date.now() + 1000 * reply.headers.get('Retry-After') - 50;
        }
        return reply;
      },
    });
    for (const type of ['state', 'authorized', 'signedOut', 'joined', 'message', 'gap', 'channelRead']) {
      p.chat.addEventListener(type, (e) => p.told.push({ ...e.detail, type }));
    }
    return p;
  }
  async signIn(name, channel = '') {
    this.key = (await this.chat.signIn(name, 'secret123')).accessKey;
    await this.chat.join(channel);
    return this;
  }
  all(type) {
    return this.told.filter((e) => e.type === type);
  }
  texts() {
    return this.all('message').map((m) => m.Message).join();
  }
  by(transport) {
    return until(transport, () => this.all('state').at(-1)?.transport === transport, 40000);
  }
  /** Until it has a WebSocket again, which it does not wait long for. */
  climbs() {
    this.chat.retry();
    return this.by('websocket');
  }
}

// ---- its uses ----

const ann = await (await Person.open()).signIn('ann', '#lounge');
const bob = await (await Person.open('refuse')).signIn('bob', '#lounge');
is(ann.all('state').at(-1).transport, 'websocket', 'in Node, by a WebSocket');
is(bob.all('state').at(-1).transport, 'poll', 'or by long-poll');
const sent = await ann.chat.send('#lounge', 'hello');
await until('it', () => bob.texts() === 'hello');
is(ann.chat.channelOf(bob.all('message')[0]), '#lounge', 'a named channel');
is(bob.all('message')[0].seq, sent.seq, 'send tells what became of it');
await until('its own', () => ann.texts() === 'hello');
const refused = await ann.chat.send('#lounge', '\u0007').catch((e) => e);
is(`${refused.code} ${refused.payload}`, '3 message', 'and why it was refused');
await bob.chat.leave('#lounge');
await bob.chat.join('');
await ann.chat.join('');
await ann.chat.leave('#lounge');
for (const p of [ann, bob]) {
  for (const each of [ann, bob]) each.told.length = 0;
  const texts = Array.from({ length: 20 }, (_, n) => `${n}`);
  await Promise.all(texts.map((t) => p.chat.send('', t)));
  await until('all', () => [ann, bob].every((each) => each.all('message').length >= texts.length));
  is(p.texts(), texts.join(), 'more than the rate allows: all of it, later, in order');
}

// ---- a network that comes and goes ----

for (const p of [ann, bob]) {
  for (const each of [ann, bob]) each.told.length = 0;
  const done = [];
  for (let n = 0; n < 8; n += 1) {
    done.push(p.chat.send('', `${n}`));
    if (n % 2) p.net.drop();
  }
  const seqs = (await Promise.all(done)).map((d) => d.seq);
  await until('all', () => [ann, bob].every((each) => each.texts() === '0,1,2,3,4,5,6,7'));
  ok(seqs.every((s, n) => n === 0 || s === seqs[n - 1] + 1), 'what is sent while connections break is stored once, in order', seqs.join());
}
for (const p of [ann, bob]) {
  for (const each of [ann, bob]) each.told.length = 0;
  p.net.loses = /"seq"/;
  await p.chat.send('', 'once');
  is(p.net.loses, null, 'the answer to a message that is stored is lost');
  await p.chat.send('', 'end');
  await until('all', () => [ann, bob].every((each) => each.texts().endsWith('end')));
  is([ann, bob].map((each) => each.texts()).join('; '), 'once,end; once,end', 'all see it once');
}
for (const p of [ann, bob]) {
  await p.chat.request('users'); // connected
  p.told.length = 0;
  p.net.cut();
  await until('the cut', () => p.chat.state === 'waiting', 40000);
  const missed = await written(250);
  await p.net.mend();
  p.chat.retry();
  await until('all', () => p.texts().endsWith(missed.at(-1)), 40000);
  is(p.texts(), missed.join(), `${missed.length} messages missed come afterwards, in order`);
  is(p.all('gap').length, 0, 'with no gap');
  p.told.length = 0;
  p.net.cut();
  await until('the cut', () => p.chat.state === 'waiting', 40000);
  const some = await written(8);
  trim(3);
  await p.net.mend();
  p.chat.retry();
  await until('the last', () => [ann, bob].every((each) => each.texts().endsWith(some.at(-1))), 40000);
  is(p.told.filter((e) => e.type === 'gap' || e.type === 'message').map((e) => e.Message ?? `gap ${e.id}`).join(), ['gap ', ...some.slice(-3)].join(), 'where the history was too short a gap is told, then the newest');
}
bob.net.ways = 'open';
let climbing;
bob.spoil = (frame) => {
  if (climbing || !frame.includes('"signIn"')) return frame;
  climbing = bob.chat.send('', 'while it climbs');
  return frame.replace('"type":"signIn"', '"type":"nothing"');
};
await until('the climb', () => {
  bob.chat.retry();
  return climbing;
}, 60000);
is(typeof (await climbing).seq, 'number', 'what is sent while a WebSocket that fails is tried for a long-poll comes through');
const other = await (await Person.open()).signIn('bob');
await bob.chat.request('channelRead', { recipientUUID: '', seq: 1 });
is((await until('it', () => other.all('channelRead')[0])).id, '', 'what is read is told to the other sessions, with its channel');
other.chat.close();
const hotel = await Person.open('portal');
const arrives = hotel.signIn('guest');
await until('tries', () => hotel.asked.filter((a) => a === 'health').length > 1);
is(hotel.chat.state === 'live', false, 'a page in the place of the service is no connection');
hotel.net.ways = 'open';
await arrives;
ok(true, 'the service is taken when it is there');
hotel.chat.close();

// ---- never an endless loop ----

const brief = await Person.open('brief');
brief.chat.connect();
await brief.by('poll');
is(brief.net.opened, 2, 'WebSockets that break at once: long-poll after two');
brief.chat.close();
const hopeless = await Person.open('brief');
hopeless.change = () => {
  throw new TypeError('no network');
};
hopeless.chat.connect();
const waits = await until('many tries', () => hopeless.all('state').filter((s) => s.state === 'waiting').length > 5 && hopeless.all('state').filter((s) => s.state === 'waiting'), 60000);
ok(Math.max(...waits.map((w) => w.wait)) > 1000 && waits.every((w, n) => w.wait <= 500 * 2 ** n), 'and where nothing else works either, it waits longer and longer', waits.map((w) => Math.round(w.wait)).join());
hopeless.chat.close();
await ann.climbs();

// Many who find nobody there, for whom time is short.
const { setTimeout: later } = globalThis;
globalThis.setTimeout = (fn, ms, ...more) => later(fn, ms / 500, ...more);
const nobody = `127.0.0.1:${await freePort()}`;
const TRIES = 9; // the last 3 of them within the longest wait
const delays = await Promise.all(Array.from({ length: 50 }, () => new Promise((done) => {
  const chat = new Palaver({ url: `ws://${nobody}/ws`, base: `http://${nobody}/api/`, WebSocket });
  const all = [];
  chat.addEventListener('state', ({ detail: { state, wait: ms } }) => {
    if (state !== 'waiting' || all.push(ms) < TRIES) return;
    chat.close();
    done(all);
  });
  chat.connect();
})));
globalThis.setTimeout = later;
const caps = Array.from({ length: TRIES }, (_, n) => Math.min(30000, 500 * 2 ** n));
const spread = caps.map((cap, n) => delays.map((all) => all[n] / cap));
const told = spread.map((s, n) => `${caps[n]}: ${Math.min(...s).toFixed(2)} to ${Math.max(...s).toFixed(2)}`).join(', ');
ok(spread.every((s) => Math.min(...s) >= 0 && Math.max(...s) < 1), 'a wait is below a bound that doubles from half a second to 30 s', told);
ok(spread.every((s) => Math.min(...s) < 0.25 && Math.max(...s) > 0.75), 'and anything below it: full jitter', told);
ok(spread.every((s) => new Set(s).size === s.length), 'of nobody the same');

const big = await ann.chat.send('', 'x'.repeat(70000)).catch((e) => e);
is(big.code, 8, 'a message that ends the connection is not repeated');
await ann.chat.send('', 'small');
ok(true, 'others are sent');
const tab = Object.assign(new EventTarget(), { hidden: true });
globalThis.document = tab;
const flood = await (await Person.open('open', strict)).signIn('flood');
delete globalThis.document;
for (let n = 0; n < 80; n += 1) flood.chat.request('users', { limit: 0 }).catch(() => {});
const wait = await until('the close', () => flood.all('state').find((s) => s.state === 'waiting'));
ok(wait.wait >= 10000, `who floods (4029) stays away for a while: ${Math.round(wait.wait)} ms`);
tab.dispatchEvent(new Event('visibilitychange'));
is(flood.chat.state, 'waiting', 'longer where the page is hidden');
tab.hidden = false;
tab.dispatchEvent(new Event('visibilitychange'));
is(flood.chat.state, 'connecting', 'and a page that becomes visible connects at once');
flood.chat.close();

// ---- what the web server itself refuses ----

const narrow = await startNginx(['r1'], ['bridge'], 'narrow');
const conf = `${work}/narrow/nginx.conf`;
const refuses = 'client_max_body_size 1k; location = /api/channelRead { return 403; } location = /api/channels { return 502; } location = /api/users { return 429; }';
writeFileSync(conf, readFileSync(conf, 'utf8').replace(/client_max_body_size[^;]*;/g, '').replace(/(listen [^;]*;)/, `$1 ${refuses}`));
await stop('narrow');
start('narrow', 'nginx', ['-c', conf, '-e', `${work}/narrow/nginx.log`]);
await until('its settings', () => fetch(`${narrow}/api/channels`).then((r) => r.status === 502, () => false));
const walled = await (await Person.open('refuse', narrow)).signIn('walled');
walled.told.length = 0;
const wall = async (asked) => asked.then(() => 'nothing', (e) => e.code);
is(await wall(walled.chat.send('', 'x'.repeat(2000))), 8, 'a message that is too long for the web server is refused as that, and not repeated');
await walled.chat.send('', 'a short one');
is(await wall(walled.chat.request('channelRead', { recipientUUID: '', seq: 1 })), 10, 'what it does not allow is error 10');
is(await wall(walled.chat.request('users')), 9, 'what is too often for it, error 9');
is(walled.all('state').some((s) => s.state === 'waiting'), false, 'none of which is a lost connection');
is(await wall(walled.chat.request('channels')), 0, 'a service that is not there is');
await walled.by('poll');
walled.chat.close();

// ---- a poll that is held for long ----

globalThis.setTimeout = (fn, ms, ...more) => later(fn, ms === 60000 ? 1000 : ms, ...more); // its minute
const patient = await (await Person.open('refuse', slow)).signIn('patient', '#quiet');
patient.told.length = 0;
await until('polls', () => patient.asked.filter((a) => a === 'events').length > 5, 40000);
is(patient.all('state').some((s) => s.state === 'waiting'), false, 'a poll that may wait for longer than a connection is trusted is renewed, the connection stays');
patient.chat.close();
globalThis.setTimeout = later;

// ---- few polls may wait: Retry-After ----

const pollers = await Promise.all(['p1', 'p2', 'p3', 'p4'].map(async (name) => (await Person.open('refuse')).signIn(name)));
await until('polls', () => pollers.every((p) => p.asked.includes('events')));
const began = Date.now();
await ann.chat.send('', 'to all pollers');
await until('them', () => pollers.every((p) => p.texts().endsWith('to all pollers')));
ok(Date.now() - began < 8000, 'a poll that may not wait is asked again at the interval that it was given');
const sum = (what) => pollers.reduce((n, p) => n + p[what], 0);
ok(sum('held') > 0 && sum('hasty') === 0, `and not earlier, ${sum('held')} times`);
for (const p of pollers) p.told.length = 0;
await written(6);
trim(2);
await until('the last', () => pollers.every((p) => p.texts().endsWith('text 5')));
let gaps = 0;
for (const p of pollers) {
  const told = p.told.filter((e) => e.type === 'gap' || e.type === 'message');
  gaps += p.all('gap').length;
  ok(told.every((e, n) => n === 0 || e.type === 'gap' || told[n - 1].type === 'gap' || e.seq === told[n - 1].seq + 1), 'nothing is missing where no gap is told', told.map((e) => e.seq ?? 'gap').join());
}
ok(gaps > 0, `a gap between two polls is told: ${gaps}`);
const [dead, twice, leaver, quitter] = pollers;
await leaver.chat.join('#left');
await ann.chat.send('#left', 'one');
await until('it', () => leaver.texts().endsWith('one'));
await ann.chat.send('#left', 'two');
await until('it', () => leaver.texts().endsWith('two'));
trim(1, 'c:left');
let [stood, asked] = ['', 0];
leaver.change = (what) => {
  const body = JSON.parse(what.body);
  if (!body.events) return what;
  stood ||= body.events.since;
  if (body.events.since.startsWith(stood)) body.events.since = body.events.since.replace(/c:left:(\w+):\d+/, 'c:left:$1:0');
  else asked += 1;
  return { ...what, body: JSON.stringify(body) };
};
await leaver.chat.leave('#left');
await until('a poll from behind it', () => asked > 0, 40000);
is(leaver.texts().match(/two/g).length, 2, 'what is missing of a channel that was left is told of once, and what there is of it comes');
leaver.change = null;
quitter.chat.addEventListener('joined', () => quitter.chat.signOut(), { once: true });
quitter.change = (what) => ({ ...what, body: what.body?.replace(/([",])g:(\w+):\d+/, '$1g:$2:0') });
await until('the sign-out', () => quitter.all('signedOut').length, 40000);
quitter.change = null;
is(quitter.told.slice(quitter.told.findIndex((e) => e.type === 'signedOut')).filter((e) => e.type === 'message').length, 0, 'who signs out while a gap is told of is told nothing more');
twice.told.length = 0;
let place = '';
let again = false;
twice.change = (what) => {
  const body = JSON.parse(what.body);
  if (!body.events) return what;
  if (again) body.events.since = place;
  again = false;
  place ||= body.events.since;
  return { ...what, body: JSON.stringify(body) };
};
await until('a poll', () => place, 40000); // as the one that waits may do so for 25 s
await written(1);
await until('it', () => twice.texts() === 'text 0');
again = true;
await until('an old cursor', () => !again, 40000);
await written(2);
await until('the last', () => twice.texts().endsWith('text 1'));
is(twice.texts(), 'text 0,text 0,text 1', 'what comes twice is told once');
dead.told.length = 0;
dead.change = (what) => ({ ...what, body: what.body?.replace(/"sessionUUID":"[^"]*"/, '"sessionUUID":"123e4567-e89b-12d3-a456-426614174000"') });
await until('its end', () => dead.all('state').some((s) => s.state === 'waiting'), 40000);
dead.change = null;
await dead.by('poll');
is(dead.all('signedOut').length, 0, 'a session that is gone is made anew, with the same key');
dead.change = (what) => ({ ...what, body: what?.body?.replace(/"since":"[^"]*"/, '"since":"rubbish"') });
await until('its end', () => dead.all('state').at(-1).state === 'waiting', 40000);
dead.change = null;
dead.net.drop();
await dead.by('poll');
ok(true, 'cursors that are not taken are given up');
for (const p of pollers) p.chat.close();

// ---- the servers' own ends ----

await ann.climbs();
const restarts = ann.told.length;
await stop('bridge');
const meanwhile = ann.chat.send('', 'while it restarts');
await startBridge('bridge', limits);
await meanwhile;
const stored = () => ann.told.slice(restarts).filter((e) => e.Message === 'while it restarts').length;
await until('its own', stored);
is(stored(), 1, 'a bridge that restarts (1012) is come back to');
const key = bob.key;
await post(url, 'signOut', { accessKey: key, signOut: { everywhere: true } });
await until('its end', () => bob.all('signedOut').length, 40000);
ok(true, 'a dead key signs out');
const late = await Person.open();
const gone = await late.chat.resume(key).catch((e) => e);
is(gone.code, 4, 'and opens nothing any more');
late.chat.close();
is(await (await (await Person.open()).signIn('leaver')).chat.signOut(), true, 'signOut tells that the key is dead');
const away = await (await Person.open()).signIn('away');
away.net.cut();
await until('the cut', () => away.chat.state === 'waiting');
is(await away.chat.signOut(), false, 'or, without a connection, that it is not');
away.chat.close();
await ann.climbs();
const anns = await post(url, 'signOut', { accessKey: ann.key, signOut: { everywhere: true } });
is(anns.status, 200, 'as over a WebSocket');
await until('its end', () => ann.all('signedOut').length);
await until('closed', () => ann.chat.state === 'closed');
const tries = () => ann.net.opened + ann.asked.length;
const [closed, tried] = [Date.now(), tries()];
await until('more than a first wait', () => Date.now() - closed > 1000);
is(tries(), tried, 'after 4001 nothing is tried');
await ann.chat.signIn('ann', 'secret123');
ok(tries() > tried, 'until somebody signs in');
for (const p of [ann, bob]) p.chat.close();
await end('r1', 'fast', 'slow', 'bridge', 'strict');
