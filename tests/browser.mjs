// SPDX-License-Identifier: MIT
// Two Chromium windows on the page of conf/demo: they chat in general and in
// private, reload and still have the history. PALAVER_SHOTS: a folder for
// pictures.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, ok, is, until, end, top } from './lib.mjs';
import { launch } from './lib-page.mjs';

const shots = process.env.PALAVER_SHOTS;
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
const faults = [];
async function window(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 680 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20000);
  page.on('pageerror', (e) => faults.push(e.message));
  page.on('console', (m) => {
    if (m.type() === 'error') faults.push(m.text());
  });
  page.on('request', (r) => {
    if (new URL(r.url()).host !== `localhost:${port}`) faults.push(`a request to ${r.url()}`);
  });
  await page.goto(url);
  return page;
}
const t = (page, id) => page.getByTestId(id);
const shot = (page, name) => (shots ? page.screenshot({ path: join(shots, `${name}.png`) }) : null);
const text = (page, message) => page.getByTestId('message-text').filter({ hasText: message });
async function say(page, message) {
  await t(page, 'composer').fill(message);
  await t(page, 'composer').press('Enter');
}

const ann = `Ann ${port}`;
const bob = `Bob ${port}`;
const a = await window();
await t(a, 'name').fill(ann);
await t(a, 'password').fill('short');
await t(a, 'sign-in').click();
await until('an error', async () => (await t(a, 'form-error').textContent()).length > 0);
ok(/8 characters/.test(await t(a, 'form-error').textContent()), 'a short password is said so inline');
await shot(a, 'sign-in');
await t(a, 'password').fill('secret123');
await t(a, 'sign-in').click();
await t(a, 'composer').waitFor();
const b = await window();
await t(b, 'tab-sign-up').click();
await t(b, 'name').fill(ann);
await t(b, 'password').fill('another123');
await t(b, 'sign-in').click();
await until('an error', async () => /taken/.test(await t(b, 'form-error').textContent()));
ok(true, 'a taken name is said so inline');
await t(b, 'name').fill(bob);
await t(b, 'sign-in').click();
await t(b, 'composer').waitFor();

await say(a, `Hello from ${ann}, see https://example.org/ <b>not bold</b>`);
await text(b, `Hello from ${ann}`).waitFor();
is(await text(b, `Hello from ${ann}`).locator('b').count(), 0, 'text is inserted as text');
await say(b, `Hello ${ann}!\nTwo lines.`);
await text(a, `Hello ${ann}!`).waitFor();
ok(true, 'they chat in general');
await until('the count', async () => (await a.locator('#room-state').textContent()) === '2 here');
ok(true, 'who is there is counted as people come');
await a.evaluate(() => {
  document.querySelector('[data-testid=message]').dataset.mark = 'kept';
});
await say(b, 'And one more.');
await text(a, 'And one more.').waitFor();
is(await a.locator('[data-mark=kept]').count(), 1, 'a new message leaves the others as they are');
await say(a, 'not allowed: \u0007');
await a.locator('[data-testid=message][data-state=failed]').waitFor();
ok(/not sent/.test(await a.locator('[data-state=failed] .status').textContent()), 'a message that is refused is marked failed');
await shot(a, 'failed');
await a.locator('[data-state=failed] button').last().click();
await until('its end', async () => (await a.locator('[data-state=failed]').count()) === 0);
ok(true, 'and can be deleted');
await until('sent', async () => (await a.getByTestId('message').last().getAttribute('data-state')) === 'sent');
is(await a.locator('[data-testid=message][data-state=sending]').count(), 0, 'messages are marked sent');

await a.locator(`[data-testid=room][data-name="${bob}"]`).click();
await say(a, `Just between us ${port}`);
await until('a badge', async () => /1/.test(await b.locator(`[data-testid=room][data-name="${ann}"] .badge`).textContent()));
ok(true, 'an unread mark for a private message');
await b.locator(`[data-testid=room][data-name="${ann}"]`).click();
await text(b, `Just between us ${port}`).waitFor();
await say(b, `Sure ${port}.`);
await text(a, `Sure ${port}.`).waitFor();
ok(true, 'they chat in private');
await shot(a, 'private');

await a.reload();
await text(a, `Just between us ${port}`).waitFor();
ok(await text(a, `Sure ${port}.`).count() === 1, 'a reload keeps the private history');
await a.locator('[data-testid=room][data-room=""]').click();
await text(a, `Hello from ${ann}`).waitFor();
is(await text(a, `Just between us ${port}`).count(), 0, 'which stays in its room');
ok(await text(a, `Hello ${ann}!`).count() === 1, 'and the general one');
await shot(a, 'general');

const phone = await window({ viewport: { width: 390, height: 780 }, colorScheme: 'dark' });
await t(phone, 'name').fill(ann);
await t(phone, 'password').fill('secret123');
await t(phone, 'sign-in').click();
await text(phone, `Hello ${ann}!`).waitFor();
await shot(phone, 'phone');
await phone.locator('#menu').press('Enter');
await until('the menu', async () => (await phone.evaluate(() => document.activeElement.dataset.testid)) === 'room');
await shot(phone, 'menu');
await phone.keyboard.press('Escape');
ok(await phone.evaluate(() => document.activeElement.id === 'menu' && document.querySelector('#menu').ariaExpanded === 'false'), 'on a phone, rooms open and close by the keyboard');

await t(b, 'sign-out').click();
await t(b, 'name').waitFor();
ok(true, 'sign out leads back to the entrance');
is(faults.filter((f) => !/status of 40/.test(f)).join('; '), '', 'no error on the page, no request elsewhere');
await browser.close();
const ended = new Promise((r) => demo.once('exit', r));
demo.kill('SIGINT');
is(await ended, 0, 'one Ctrl-C ends all');
await end();
