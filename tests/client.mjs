// SPDX-License-Identifier: MIT
// The client library without a page: what closes and refuses it, and that it
// never hammers at the servers.
import { readFileSync, readdirSync } from 'node:fs';
import WebSocket from 'ws';
import { Palaver } from '../www/palaver.js';
import { startRedis, startResponder, startBridge, startNginx, stop, post, ok, is, until, end, top } from './lib.mjs';
import { Net } from './lib-net.mjs';

const SIZE = 40 * 1024; // bytes of the page and the library, without comments
const page = readdirSync(`${top}/www`).filter((f) => /\.(js|css|html)$/.test(f)).map((f) => readFileSync(`${top}/www/${f}`, 'utf8')).join('');
const bytes = Buffer.byteLength(page.replace(/\/\*.*?\*\/\s*|(?<!:)\/\/[^\n]*|<!--.*?-->/gs, ''));
ok(bytes < SIZE, `the page is small: ${bytes} bytes without comments, ${Buffer.byteLength(page)} with them`);
const limits = { PALAVER_REQUEST_RATE: '0', PALAVER_MESSAGE_RATE: '8/2', PALAVER_SIGN_IN_RATE: '0' };
await startRedis();
await startResponder('r1', { ...limits, PALAVER_POLL_SLOTS: '2' });
await startBridge('bridge', limits);
await startBridge('strict', { ...limits, PALAVER_REQUEST_RATE: '20/10' });
const url = await startNginx(['r1'], ['bridge']);
const strict = await startNginx(['r1'], ['strict'], 'strict-web');

/** The library behind a network of its own; all that it told. */
class Person {
  told = [];
  asked = []; // requests over HTTP
  static async open(ways = 'open', to = url) {
    const p = new Person();
    p.net = await Net.before(to);
    p.net.ways = ways;
    p.chat = new Palaver({
      url: `${p.net.url.replace('http', 'ws')}/ws`, base: `${p.net.url}/api/`, WebSocket,
      fetch: (where, what) => {
        p.asked.push(where.replace(/.*\//, ''));
        return fetch(where, p.change ? p.change(what) : what);
      },
    });
    for (const type of ['state', 'authorized', 'signedOut', 'joined', 'message', 'gap']) {
      p.chat.addEventListener(type, (e) => p.told.push({ type, ...e.detail }));
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
  p.told.length = 0;
  const done = [];
  for (let n = 0; n < 8; n += 1) {
    done.push(p.chat.send('', `${n}`));
    if (n % 2) p.net.drop();
  }
  const seqs = (await Promise.all(done)).map((d) => d.seq);
  ok(seqs.every((s, n) => n === 0 || s === seqs[n - 1] + 1), 'what is sent while connections break is stored once, in order', seqs.join());
}
bob.net.ways = 'open';
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
ok(Math.max(...waits.map((w) => w.wait)) > 500 && waits.every((w, n) => w.wait <= 500 * 2 ** n), 'and where nothing else works either, it waits longer and longer', waits.map((w) => Math.round(w.wait)).join());
hopeless.chat.close();
const big = await ann.chat.send('', 'x'.repeat(70000)).catch((e) => e);
is(big.code, 8, 'a message that ends the connection is not repeated');
await ann.chat.send('', 'small');
ok(true, 'others are sent');
const flood = await (await Person.open('open', strict)).signIn('flood');
for (let n = 0; n < 80; n += 1) flood.chat.request('users', { limit: 0 }).catch(() => {});
const wait = await until('the close', () => flood.all('state').find((s) => s.state === 'waiting'));
ok(wait.wait >= 10000, `who floods (4029) stays away for a while: ${Math.round(wait.wait)} ms`);
flood.chat.close();

// ---- few polls may wait: Retry-After ----

const pollers = await Promise.all(['p1', 'p2', 'p3', 'p4'].map(async (name) => (await Person.open('refuse')).signIn(name)));
const polls = () => pollers.map((p) => p.asked.filter((a) => a === 'events').length);
await until('polls', () => polls().every((n) => n > 0));
const before = polls();
const began = Date.now();
await ann.chat.send('', 'to all pollers');
await until('them', () => pollers.every((p) => p.texts().endsWith('to all pollers')));
ok(Date.now() - began < 8000, 'a poll that may not wait is asked again at the interval that it was given');
ok(polls().every((n, k) => n - before[k] < 8), 'and not more often', polls().map((n, k) => n - before[k]).join());
const [dead] = pollers;
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

ann.told.length = 0;
await stop('bridge');
const meanwhile = ann.chat.send('', 'while it restarts');
await startBridge('bridge', limits);
await meanwhile;
await until('its own', () => ann.texts().includes('while it restarts'));
is(ann.texts().split('while it restarts').length, 2, 'a bridge that restarts (1012) is come back to');
const key = bob.key;
await post(url, 'signOut', { accessKey: key, signOut: { everywhere: true } });
await until('its end', () => bob.all('signedOut').length, 40000);
ok(true, 'a dead key signs out');
const late = await Person.open();
const gone = await late.chat.resume(key).catch((e) => e);
is(gone.code, 4, 'and opens nothing any more');
late.chat.close();
const anns = await post(url, 'signOut', { accessKey: ann.key, signOut: { everywhere: true } });
is(anns.status, 200, 'as over a WebSocket');
await until('its end', () => ann.all('signedOut').length);
await until('closed', () => ann.chat.state === 'closed');
const opened = ann.net.opened;
await ann.chat.signIn('ann', 'secret123');
is(ann.net.opened, opened + 1, 'after 4001 nothing is tried until somebody signs in');
for (const p of [ann, bob]) p.chat.close();
await end('r1', 'bridge', 'strict');
