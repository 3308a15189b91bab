// SPDX-License-Identifier: MIT
// The page in Chromium where the network is bad: a WebSocket that is refused or
// never answered, a network cut for 20 s, changes between WebSocket and
// long-poll while messages flow, a history that does not reach back, a list of
// people that comes late.
// PALAVER_SHOTS: a folder for pictures.
import { startRedis, startResponder, startBridge, startNginx, post, redis, ok, is, until, end } from './lib.mjs';
import { launch, Visitor } from './lib-page.mjs';
import { Net } from './lib-net.mjs';

const OFFLINE = 20000; // ms that the network is cut
const limits = { PALAVER_MESSAGE_RATE: '0', PALAVER_REQUEST_RATE: '0' };
await startRedis();
for (const r of ['r1', 'r2']) await startResponder(r, limits);
await startBridge('bridge', limits);
const url = await startNginx(['r1', 'r2'], ['bridge']);
const browser = await launch();

/** A visitor behind a network of one's own. */
async function visit(ways) {
  const net = await Net.before(url);
  net.ways = ways;
  return Object.assign(await Visitor.open(browser, net.url), { net });
}

/** Somebody else, by HTTP and without that network. */
const bob = (await post(url, 'signIn', { signIn: { username: 'bob', password: 'secret123' } })).authorized;
const says = async (message) => (await post(url, 'channelMessage', { accessKey: bob.accessKey, channelMessage: { message } })).channelMessage;

// ---- no WebSocket gets through ----

const ann = await visit('refuse');
await ann.signIn('ann');
await ann.tells(/Connected by long-poll/);
ok(true, 'where a WebSocket is refused the page works by long-poll, and says so');
const carl = await visit('mute');
const began = Date.now();
await carl.signIn('carl');
await carl.tells(/Connected by long-poll/);
ok(Date.now() - began < 15000, 'and where it is never answered');
await ann.say('hello carl');
await carl.has('hello carl');
await carl.say('hello ann');
await ann.has('hello ann');
ok(true, 'they chat in general');
await until('the mark', async () => (await ann.page.locator('[data-state=sent]').count()) === 2);
is((await ann.texts()).join(), 'hello carl,hello ann', 'each message once, in order, marked sent');
await ann.room('carl').click();
await ann.say('just us');
await until('a badge', async () => (await carl.room('ann').locator('.badge').textContent()) === '1');
await carl.room('ann').click();
await carl.has('just us');
await carl.say('yes');
await ann.has('yes');
ok(true, 'they chat in private, with an unread mark before');
await until('the dot', async () => (await ann.room('carl').locator('.dot.on').count()) === 1);
is(await ann.room('bob').count(), 1, 'who is there, and who is on line, shows');
await ann.shot('long-poll');
await ann.page.reload();
await ann.has('yes');
ok(true, 'a reload comes back to it');
await carl.t('sign-out').click();
await carl.t('name').waitFor();
ok(true, 'sign out works');

// ---- from one to the other, and back, while messages flow ----

await carl.close();
await ann.room('General').click();
let sent = 0;
let flowing = true;
const flow = (async () => {
  for (; flowing; sent += 1) {
    await says(`flow ${sent}`);
    await new Promise((r) => setTimeout(r, 50)); // the pace, waited for by nobody
  }
})();
const flowed = async () => (await ann.texts()).filter((t) => t.startsWith('flow '));
const wanted = (n) => Array.from({ length: n }, (_, k) => `flow ${k}`).join();
await ann.has('flow 10');
ann.net.ways = 'open';
await ann.tells(/Connected by WebSocket/);
ok(true, 'when a WebSocket gets through again the page has one, by itself');
await ann.say('by WebSocket');
ann.net.ways = 'refuse';
ann.net.drop('ws');
await ann.tells(/Connected by long-poll/);
ok(true, 'when it does not any more, long-poll');
await ann.say('by long-poll');
ann.net.ways = 'open';
await ann.tells(/Connected by WebSocket/);
flowing = false;
await flow;
await ann.has(`flow ${sent - 1}`);
is((await flowed()).join(), wanted(sent), `${sent} messages meanwhile: none lost, none doubled, in order`);
is((await ann.texts()).filter((t) => t.startsWith('by ')).join(), 'by WebSocket,by long-poll', 'nor of its own');
is(await ann.page.locator('.gap').count(), 0, 'and no gap is told');

// ---- a network that is cut ----

const seen = (await ann.texts()).length;
ann.net.cut();
const cutAt = Date.now();
await ann.tells(/Not connected/);
await ann.shot('not-connected');
const missed = [];
for (let n = 0; n < 120; n += 1) missed.push((await says(`missed ${n}`)).Message);
await ann.say('from the dark 1');
await ann.say('from the dark 2');
await until('both on the page', async () => (await ann.texts()).at(-1) === 'from the dark 2');
is(await ann.page.locator('[data-state=sending]').count(), 2, 'what is sent meanwhile shows as being sent');
await ann.shot('sending');
const height = () => ann.page.evaluate(() => document.querySelector('#log').getBoundingClientRect().top);
const top = await height();
await until('20 s', () => Date.now() - cutAt > OFFLINE, OFFLINE + 10000);
const tries = ann.net.opened;
await ann.net.mend();
await ann.page.evaluate(() => dispatchEvent(new Event('online')));
const mended = Date.now();
await ann.has('from the dark 2');
await ann.tells(/Connected by/);
ok(Date.now() - mended < 5000, `back at once with the network, ${Date.now() - mended} ms`);
await until('sent', async () => (await ann.page.locator('[data-state=sending]').count()) === 0);
is((await ann.texts()).slice(seen).join(), [...missed, 'from the dark 1', 'from the dark 2'].join(), 'after 20 s nothing is lost or doubled, in order');
is(await height(), top, 'and nothing on the page has moved');
ok(tries > 0, `${tries} WebSockets were tried`);
is(await ann.page.locator('.gap').count(), 0, 'no gap is told');

// ---- a history that does not reach back ----

ann.net.cut();
await ann.tells(/Not connected/);
for (let n = 0; n < 70; n += 1) await says(`lost ${n}`);
redis('ltrim', 'palaver:{g}:l', '-60', '-1');
await ann.net.mend();
await ann.page.getByText('Retry now').click();
await ann.has('lost 69');
const around = () => ann.page.evaluate(() => {
  const rows = [...document.querySelectorAll('.text, .gap')];
  const n = rows.findIndex((e) => e.className === 'gap');
  return [rows[n - 1], rows[n + 1]].map((e) => e.textContent).join();
});
is(await around(), 'from the dark 2,lost 20', 'a gap that cannot be closed is marked where it is, before the newest 50');
await ann.shot('gap');
await ann.page.locator('.older').click();
await until('the end', async () => (await ann.page.locator('.older').count()) === 0);
is(await around(), 'from the dark 2,lost 10', 'and can be made as small as the history allows');
await ann.say('on it goes');
await ann.has('on it goes');

await ann.context.setOffline(true);
await ann.tells(/Offline/);
await ann.shot('offline');
await ann.context.setOffline(false);
await ann.tells(/Connected by/);
ok(true, 'a device without a network says so, until it has one');

// ---- signing out, with a connection and without ----

const hint = () => ann.t('form-hint').textContent();
const keyOf = () => ann.page.evaluate(() => Object.values(localStorage).map((v) => JSON.parse(v).key).join());
const opens = async (accessKey) => (await post(url, 'users', { accessKey, users: { limit: 0 } })).status;
const alive = await keyOf();
ann.net.cut();
await ann.tells(/Not connected/);
await ann.t('sign-out').click();
await until('the hint', async () => /signed out here only: the key was not ended/.test(await hint()));
is(`${await opens(alive)} ${await keyOf()}`, '200 ', 'without a connection the page says that the key lives on, which it does, and has forgotten it');
await ann.net.mend();
await ann.signIn('ann');
const dead = await keyOf();
await ann.t('sign-out').click();
await ann.t('name').waitFor();
is(await opens(dead), 401, 'with one, the key is dead');
ok(!/signed out here only/.test(await hint()), 'and the page does not say otherwise');
is(ann.faults.join('; '), '', 'no fault in a page');

// ---- who else there is comes late ----

const eve = await Visitor.open(browser, url);
let asked = false;
let answer;
const answered = new Promise((done) => { answer = done; });
await eve.page.routeWebSocket(/./, (ws) => {
  ws.connectToServer().onMessage(async (frame) => {
    if (frame.includes('"type":"users"')) {
      asked = true;
      await answered;
    }
    ws.send(frame);
  });
});
await eve.page.reload();
const signedIn = eve.signIn('eve');
await until('the page to ask', () => asked);
ok(!await eve.t('text').isVisible(), 'nobody writes before the page knows where to');
answer();
await signedIn;
await eve.say('hello from eve');
ok(await eve.shows('hello from eve'), 'then she writes');
is(eve.faults.join(), '', 'and no script fails');
await eve.close();

await browser.close();
await end('r1', 'r2', 'bridge');
