// SPDX-License-Identifier: MIT
// The page in Chromium with a long history: 5,000 messages that come while it is
// open, and older ones that it loads when somebody wants to see them; with every
// setting of a page's size at its smallest.
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
const last = (text) => until(text, async () => (await ann.t('message-text').last().textContent()) === text, 60000);
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
      for (const e of addedNodes) if (e.querySelector('.message') && document.querySelector('#log').ariaBusy !== 'true') globalThis.told.push(e.textContent);
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
is((await page.evaluate(() => globalThis.told)).length, 2, 'and is read out');
await page.locator('#newer').click();
await write(1);
await last(`text ${MANY + 2}`);
is((await ann.texts()).join(), wanted(MANY + 3 - 1000, MANY + 3), 'back at the end it keeps the newest 1000');

// ---- all of a short one ----

const { userUUID: bob } = writer.frames.find((f) => f.authorized).authorized;
const annUUID = (await writer.ask({ type: 'users', users: { limit: 2 } })).users.users.find((u) => u.Username === 'ann').UUID;
for (let n = 0; n < 120; n += 1) writer.send({ type: 'channelMessage', id: `p${n}`, channelMessage: { recipientUUID: annUUID, message: `private ${n}` } });
await until('the last', () => writer.frames.some((f) => f.id === 'p119'));
const badge = async () => page.locator(`[data-room="${bob}"] .badge`).textContent({ timeout: 1000 }).catch(() => null);
await until('a badge', async () => (await badge()) === '120');
await page.reload();
await until('a badge', async () => (await badge()) === '120');
ok(true, 'what came and was not read is counted, also by a page that comes later');
await page.locator(`[data-room="${bob}"]`).click();
await last('private 119');
is((await ann.texts()).length, 50, 'a room opens with its newest 50');
const button = page.locator('.older');
await button.evaluate((e) => e.focus({ preventScroll: true })); // where it came into sight they would be loaded for that
await page.keyboard.press('Enter');
await until('older ones', async () => (await ann.texts()).length === 100);
is(await page.evaluate(() => document.activeElement.className), 'older', 'by the keyboard, too, which stays at the button');
await page.keyboard.press('Enter');
await until('all', async () => (await ann.texts()).length === 120);
is((await ann.texts()).join(), Array.from({ length: 120 }, (_, n) => `private ${n}`).join(), 'until all are there');
is(await button.count(), 0, 'then there is no button');
is(await page.evaluate(() => document.activeElement.id), 'log', 'and the focus is on the messages');

// ---- what a reload keeps ----

const read = async () => (await writer.ask({ type: 'channels' })).channels.channels[0];
writer.send({ type: 'signIn', signIn: { username: 'ann', password: 'secret123' } });
await writer.next('authorized');
await until('it', async () => (await read()).readSeq === 120);
await ann.t('composer').fill('half a thought');
await page.locator('[data-room=""]').click();
await ann.t('composer').fill('another');
await page.reload();
await until('the draft', async () => (await ann.t('composer').inputValue()) === 'another');
is(await badge(), '', 'what was read stays read');
await page.locator(`[data-room="${bob}"]`).click();
is(await ann.t('composer').inputValue(), 'half a thought', 'drafts of each room survive a reload');
await ann.t('sign-out').click();
await ann.signIn('carol');
is(await ann.t('composer').inputValue(), '', 'but are not left to whoever signs in next');

// ---- a join that takes its time ----

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
await until('a badge', async () => (await page.locator(`[data-room="${annUUID}"] .badge`).textContent({ timeout: 1000 }).catch(() => null)) === '1');
await page.locator(`[data-room="${annUUID}"]`).click();
await last('slow down');
writer.send({ type: 'signIn', signIn: { username: 'carol', password: 'secret123' } });
await writer.next('authorized');
ok(await until('it', async () => (await read())?.readSeq === 1).catch(() => false), 'what such a join brings is told as read');
is(ann.faults.join('; '), '', 'no fault in the page');
await browser.close();
await end('responder', 'bridge');
