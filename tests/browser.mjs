// SPDX-License-Identifier: MIT
// Two Chromium windows on the page of conf/demo: they chat in general and in
// private, reload and still have the history. PALAVER_SHOTS: a folder for
// pictures.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, ok, is, until, end, top } from './lib.mjs';
import { launch, Visitor } from './lib-page.mjs';

const port = await freePort();
const state = mkdtempSync(join(tmpdir(), 'palaver-demo-'));
process.on('exit', () => rmSync(state, { recursive: true, force: true }));
const env = { ...process.env, PORT: String(port), DEMO_STATE: state, PALAVER_PASSWORD_COST: 'minimal' };
for (const name of ['REDIS_URL', 'REDIS_ADDRESS', 'REDIS_PASSWORD', 'PALAVER_REDIS']) delete env[name];
let said = '';
const demo = spawn('sh', [`${top}/conf/demo`, '--no-install'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
demo.stdout.on('data', (d) => { said += d; });
demo.stderr.on('data', (d) => { said += d; });
process.on('exit', () => demo.kill('SIGTERM'));
await until('the demo', () => {
  if (demo.exitCode !== null) throw new Error(`the demo ended: ${said}`);
  return /Palaver is at (\S+)/.exec(said);
}, 300000);
const url = /Palaver is at (\S+)/.exec(said)[1];
is(url, `http://localhost:${port}`, 'conf/demo prints the address');

const browser = await launch();
const visitors = [];
async function visit(options) {
  const visitor = await Visitor.open(browser, url, { viewport: { width: 1000, height: 680 }, ...options });
  visitors.push(visitor);
  return visitor;
}

const ann = `Ann ${port}`;
const bob = `Bob ${port}`;
const a = await visit();
await a.t('name').fill(ann);
await a.t('password').fill('short');
await a.t('submit').click();
await until('an error', async () => (await a.t('form-error').textContent()).length > 0);
ok(/8 characters/.test(await a.t('form-error').textContent()), 'a short password is said so inline');
await a.shot('submit');
await a.signIn(ann);
const b = await visit();
await b.t('tab-up').click();
await b.t('name').fill(ann);
await b.t('password').fill('another123');
await b.t('submit').click();
await until('an error', async () => /taken/.test(await b.t('form-error').textContent()));
ok(true, 'a taken name is said so inline');
await b.signIn(bob, 'another123');

await a.say(`Hello from ${ann}, see https://example.org/ <b>not bold</b>`);
await b.text(`Hello from ${ann}`).waitFor();
const link = a.page.locator('.text a');
is([await link.textContent(), await link.getAttribute('href'), await link.getAttribute('rel')].join(' '), 'https://example.org/ https://example.org/ noreferrer', 'a link in a message does not tell where it was followed');
is(await b.text(`Hello from ${ann}`).locator('b').count(), 0, 'text is inserted as text');
await b.say(`Hello ${ann}!\nTwo lines.`);
await a.text(`Hello ${ann}!`).waitFor();
ok(true, 'they chat in general');
await until('the count', async () => (await a.page.locator('#room-state').textContent()) === '2 here');
ok(true, 'who is there is counted as people come');
await a.page.evaluate(() => {
  document.querySelector('.message').dataset.mark = 'kept';
});
await b.say('And one more.');
await a.text('And one more.').waitFor();
is(await a.page.locator('[data-mark=kept]').count(), 1, 'a new message leaves the others as they are');
await a.say('not allowed: \u0007');
await a.page.locator('[data-state=failed]').waitFor();
ok(/not sent/.test(await a.page.locator('[data-state=failed] .status').textContent()), 'a message that is refused is marked failed');
await a.shot('failed');
await a.page.locator('[data-state=failed] button').last().click();
await until('its end', async () => (await a.page.locator('[data-state=failed]').count()) === 0);
ok(true, 'and can be deleted');
await until('sent', async () => (await a.page.locator('.message').last().getAttribute('data-state')) === 'sent');
is(await a.page.locator('[data-state=sending]').count(), 0, 'messages are marked sent');

await a.room(bob).click();
await a.say(`Just between us ${port}`);
await until('a badge', async () => /1/.test(await b.room(ann).locator('.badge').textContent()));
ok(true, 'an unread mark for a private message');
await b.room(ann).click();
await b.text(`Just between us ${port}`).waitFor();
await b.say(`Sure ${port}.`);
await a.text(`Sure ${port}.`).waitFor();
ok(true, 'they chat in private');
await a.shot('private');

await a.page.reload();
await a.text(`Just between us ${port}`).waitFor();
ok(await a.text(`Sure ${port}.`).count() === 1, 'a reload keeps the private history');
await a.page.locator('[data-room=""]').click();
await a.text(`Hello from ${ann}`).waitFor();
is(await a.text(`Just between us ${port}`).count(), 0, 'which stays in its room');
ok(await a.text(`Hello ${ann}!`).count() === 1, 'and the general one');
await a.shot('general');

const phone = await visit({ viewport: { width: 390, height: 780 }, colorScheme: 'dark' });
await phone.signIn(ann);
await phone.text(`Hello ${ann}!`).waitFor();
await phone.shot('phone');
await phone.page.locator('#menu').press('Enter');
await until('the menu', async () => (await phone.page.evaluate(() => document.activeElement.dataset.room)) !== undefined);
await phone.shot('menu');
await phone.page.keyboard.press('Escape');
ok(await phone.page.evaluate(() => document.activeElement.id === 'menu' && document.querySelector('#menu').ariaExpanded === 'false'), 'on a phone, rooms open and close by the keyboard');

await b.t('sign-out').click();
await b.t('name').waitFor();
ok(true, 'sign out leads back to the entrance');
is(visitors.flatMap((v) => v.faults).filter((f) => !/status of 40/.test(f)).join('; '), '', 'no error on the page, no request elsewhere');
await browser.close();
const ended = new Promise((r) => demo.once('exit', r));
demo.kill('SIGINT');
is(await ended, 0, 'one Ctrl-C ends all');
await end();
