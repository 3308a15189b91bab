// SPDX-License-Identifier: MIT
// The page in Chromium with a long history: 5,000 messages that come while it is
// open, older ones that it loads when somebody wants to see them, and those that
// are new to who comes; with every setting of a page's size at its smallest.
// PALAVER_SHOTS: a folder for pictures.
import { startRedis, startResponder, startBridge, startNginx, ok, is, until, end, Client } from './lib.mjs';
import { launch, Visitor } from './lib-page.mjs';

const MANY = 5000; // messages that come while the page is open
const LAYOUTS = MANY / 5; // times that the page may be laid out for them
const limits = {
  PALAVER_MESSAGE_RATE: '0', PALAVER_REQUEST_RATE: '0', PALAVER_USERS_PAGE: '1', PALAVER_USERS_MOST: '1000',
  PALAVER_JOIN_MESSAGES: '0', PALAVER_MESSAGES_PAGE: '1', PALAVER_MESSAGES_MOST: '100', PALAVER_POLL_WAIT: '0', PALAVER_POLL_WAIT_MOST: '1',
};
await startRedis();
await startResponder('responder', limits);
await startBridge('bridge', limits);
const url = await startNginx(['responder'], ['bridge']);
const browser = await launch();
const ann = await Visitor.open(browser, url);
const { page } = ann;
await ann.signIn('ann');

const writer = await Client.open(`${url.replace('http', 'ws')}/ws`);
writer.send({ type: 'signIn', signIn: { username: 'bob', password: 'secret123' } });
await writer.next('authorized');
let written = 0;
/** Somebody writes that many messages, and hears that they are stored. */
async function write(count) {
  const last = written + count;
  while (written < last) {
    for (let n = 0; n < 100 && written < last; n += 1) {
      writer.send({ type: 'channelMessage', id: `${written}`, channelMessage: { message: `text ${written}` } });
      written += 1;
    }
    await until('acks', () => writer.frames.some((f) => f.id === `${written - 1}`));
  }
}
const wanted = (from, to) => Array.from({ length: to - from }, (_, n) => `text ${from + n}`).join();
const last = (text) => until(text, async () => (await ann.page.locator('.text').last().textContent()) === text, 60000);
const shown = (row) => page.evaluate((n) => {
  const { top, bottom } = document.querySelectorAll('#log .message')[n].getBoundingClientRect();
  const box = document.querySelector('#log').getBoundingClientRect();
  return bottom > box.top && top < box.bottom ? top : NaN;
}, row);

// ---- 5,000 that come ----

const cdp = await page.context().newCDPSession(page);
await cdp.send('Performance.enable');
const cost = async (what) => (await cdp.send('Performance.getMetrics')).metrics.find((m) => m.name === what).value;
const before = await cost('LayoutCount');
await page.evaluate(() => {
  globalThis.frames = 0;
  const count = () => {
    globalThis.frames += 1;
    requestAnimationFrame(count);
  };
  count();
});
await write(1);
await last('text 0');
await write(MANY - 1);
await last(`text ${MANY - 1}`);
const layouts = (await cost('LayoutCount')) - before;
const frames = await page.evaluate(() => globalThis.frames);
ok(layouts < LAYOUTS, `${MANY} messages: laid out ${layouts} times, in ${frames} frames`);
is((await ann.texts()).join(), wanted(MANY - 1000, MANY), 'the newest 1000 are there, in order');
ok(await shown(999) > 0, 'and the last one is in sight');

// ---- older ones ----

await page.evaluate(() => {
  globalThis.told = [];
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) {
      for (const e of addedNodes) if (document.querySelector('#log').ariaBusy !== 'true') globalThis.told.push(e.textContent);
    }
  }).observe(document.querySelector('#log'), { childList: true });
});
await page.locator('#log').evaluate((e) => { e.scrollTop = 90; });
const top = await shown(0);
await until('older ones', async () => (await ann.texts()).length === 1050);
is((await ann.texts()).join(), wanted(MANY - 1050, MANY), 'near the start, older ones are loaded');
ok(Math.abs(await shown(50) - top) < 1, 'and what was in sight stays where it was');
is((await page.evaluate(() => globalThis.told)).join(), '', 'which is not read out as news');
await ann.shot('older');
await write(2);
await until('the mark', async () => /2 new/.test(await page.locator('#newer').textContent()));
is((await ann.texts()).join(), wanted(MANY - 1050, MANY + 2), 'what comes meanwhile takes none away');
ok(Math.abs(await shown(50) - top) < 1, 'nor moves what is read');
is((await page.evaluate(() => globalThis.told)).length, 2, 'and is read out, nothing else');
await page.locator('#newer').click();
await write(1);
await last(`text ${MANY + 2}`);
is((await ann.texts()).join(), wanted(MANY + 3 - 1000, MANY + 3), 'back at the end it keeps the newest 1000');

// ---- all of a short one ----

const { userUUID: bob } = writer.frames.find((f) => f.authorized).authorized;
const annUUID = (await writer.ask({ type: 'users', users: { limit: 2 } })).users.users.find((u) => u.Username === 'ann').UUID;
for (let n = 0; n < 120; n += 1) writer.send({ type: 'channelMessage', id: `p${n}`, channelMessage: { recipientUUID: annUUID, message: `private ${n}` } });
await until('the last', () => writer.frames.some((f) => f.id === 'p119'));
const badge = async (id = bob) => page.locator(`[data-room="${id}"] .badge`).textContent({ timeout: 1000 }).catch(() => null);
await until('a badge', async () => (await badge()) === '120');
await page.reload();
await until('a badge', async () => (await badge()) === '120');
ok(true, 'what came and was not read is counted, also by a page that comes later');
const from = (first, count) => Array.from({ length: count }, (_, n) => `private ${first + n}`).join();
const divider = page.getByRole('separator', { name: 'New messages' });
/** What comes behind the divider, which is in sight; '' where there is none. */
const fresh = () => page.evaluate(() => {
  const e = document.querySelector('[role=separator]');
  const box = document.querySelector('#log').getBoundingClientRect();
  if (!e || e.getBoundingClientRect().top < box.top || e.getBoundingClientRect().bottom > box.bottom) return '';
  return [...document.querySelectorAll('.text')].filter((t) => e.compareDocumentPosition(t) & 4).map((t) => t.textContent).join();
});
const divided = (what, messages) => until(what, async () => (await fresh()) === messages).then(() => ok(true, what), async () => is(await fresh(), messages, what));
const pill = () => page.locator('#newer').textContent();
await page.locator(`[data-room="${bob}"]`).click();
await divided('a room opens at what is new there, all of it', from(0, 120));
is(await pill(), '↓ 120 new', 'and tells how much that is');
const read = async (id) => (await writer.ask({ type: 'channels' })).channels.channels.find((c) => c.recipientUUID === id)?.readSeq;
writer.send({ type: 'signIn', signIn: { username: 'ann', password: 'secret123' } });
await writer.next('authorized');
ok(await until('it', async () => (await read(bob)) === 120), 'which is read then');
await page.reload();
await last('private 119');
is((await ann.texts()).length, 50, 'where nothing is new a room opens with its newest 50');
is(await divider.count(), 0, 'and no divider');
const button = page.locator('.older');
await button.evaluate((e) => e.focus({ preventScroll: true })); // where it came into sight they would be loaded for that
await page.keyboard.press('Enter');
await until('older ones', async () => (await ann.texts()).length === 100);
is(await page.evaluate(() => document.activeElement.className), 'older', 'by the keyboard, too, which stays at the button');
await page.keyboard.press('Enter');
await until('all', async () => (await ann.texts()).length === 120);
is((await ann.texts()).join(), from(0, 120), 'until all are there');
is(await button.count(), 0, 'then there is no button');
is(await page.evaluate(() => document.activeElement.id), 'log', 'and the focus is on the messages');

// ---- what is new ----

const signs = async (username) => {
  writer.send({ type: 'signIn', signIn: { username, password: 'secret123' } });
  await writer.next('authorized');
};
let count = 120;
async function privately(many) {
  for (let n = 0; n < many; n += 1) await writer.ask({ type: 'channelMessage', id: `${count}`, channelMessage: { recipientUUID: annUUID, message: `private ${count++}` } }, 'ack');
}
const badgeIs = (wanted, id = bob) => until(`a badge of ${wanted}`, async () => (await badge(id)) === wanted);
const go = (id) => page.locator(`[data-room="${id}"]`).click();
/** Who reads it looks elsewhere, or is back. */
const looks = (away) => page.evaluate((hidden) => {
  Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}, away);
await signs('bob');
await go('');
await privately(3);
await badgeIs('3');
await go(bob);
await divided('what came while another room was open is divided from the rest', from(120, 3));
is(await badge(bob), '', 'and counted no more');
await privately(1);
await last('private 123');
is(await fresh(), from(120, 4), 'the divider stays where it is as more comes');
await go('');
await go(bob);
await last('private 123');
is(await divider.count(), 0, 'when the room is opened again, with nothing new, it is gone');
await looks(true);
await privately(40);
await until('the title', async () => (await page.title()) === '(40) Palaver');
await looks(false);
await until('the divider', () => divider.count());
await divided('so is what came while the page was hidden', from(124, 40));
ok(await until('the title', async () => (await page.title()) === 'Palaver'), 'and is read then');
await looks(true);
await looks(false);
is(await divider.count(), 1, 'with nothing new it stays');
await page.evaluate(() => {
  globalThis.told = [];
  new MutationObserver((changes) => globalThis.told.push(...changes.flatMap((c) => Array.from(c.addedNodes, (e) => e.textContent))))
    .observe(document.querySelector('#log'), { childList: true });
});
await privately(2);
await last('private 165');
is(await page.evaluate(() => globalThis.told.length), 2, 'and is not read out again with each message');
await page.locator('#newer').click();
is(await page.evaluate(() => document.activeElement.id), 'log', 'who goes to the end from there goes on at the messages');
await ann.say('an answer');
await until('it', async () => (await ann.page.locator('.text').last().textContent()) === 'an answer');
is(await divider.count(), 0, 'to who writes nothing is new');
await write(2);
await badgeIs('2', '');
await page.reload();
await last('an answer');
await badgeIs('2', '');
ok(true, 'what is new in general is counted by a page that comes later, too');
await go('');
await divided('and divided', wanted(written - 2, written));
await go(bob);
await write(2);
await badgeIs('2', '');
await signs('ann');
await write(1);
await badgeIs('', '');
ok(true, 'who writes there from elsewhere has read it');

// ---- what a reload keeps ----

await ann.t('text').fill('half a thought');
await go('');
await ann.t('text').fill('another');
await page.reload();
await until('the draft', async () => (await ann.t('text').inputValue()) === 'another');
is(await badge(), '', 'what was read stays read');
await go(bob);
is(await ann.t('text').inputValue(), 'half a thought', 'drafts of each room survive a reload');
await ann.t('sign-out').click();
await ann.signIn('carol');
is(await ann.t('text').inputValue(), '', 'but are not left to whoever signs in next');

// ---- a join that takes its time ----

await signs('ann');
await page.routeWebSocket(/ws$/, (ws) => {
  const server = ws.connectToServer();
  server.onMessage((m) => {
    if (m.startsWith('{"type":"channelJoin"') && m.includes('slow down')) setTimeout(() => ws.send(m), 2000); // longer than the page gathers what is read
    else ws.send(m);
  });
});
await page.reload();
await ann.tells(/Connected/);
const carol = (await writer.ask({ type: 'users', users: { limit: 100 } })).users.users.find((u) => u.Username === 'carol').UUID;
writer.send({ type: 'channelMessage', id: 'slow', channelMessage: { recipientUUID: carol, message: 'slow down' } });
await until('a badge', async () => (await badge(annUUID)) === '1');
await go(annUUID);
await last('slow down');
await signs('carol');
ok(await until('it', async () => (await read(annUUID)) === 1).catch(() => false), 'what such a join brings is told as read');
is(ann.faults.join('; '), '', 'no fault in the page');
await browser.close();
await end('responder', 'bridge');
