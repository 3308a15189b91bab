// SPDX-License-Identifier: MIT
// The page in Chromium, as its visitors use it.
// PALAVER_SHOTS: a folder for pictures.
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { until } from './lib.mjs';

const PATIENCE = 60000; // ms: a start beside everything else is slow
const shots = process.env.PALAVER_SHOTS;

export const launch = () => chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

/** Somebody in a browser of one's own, without an account yet. faults: what the page's scripts threw, and its requests to others. */
export class Visitor {
  faults = [];
  /** webSocket: whether one gets through. api: where it asks. The other options are Playwright's of a context. */
  static async open(browser, url, { webSocket = true, api = url, ...options } = {}) {
    const v = new this();
    v.context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1000, height: 620 }, ...options });
    v.page = await v.context.newPage();
    v.page.setDefaultTimeout(PATIENCE);
    v.page.on('pageerror', (e) => v.faults.push(e.message));
    v.page.on('request', (r) => {
      if (![url, api].some((u) => new URL(r.url()).origin === new URL(u).origin)) v.faults.push(`a request to ${r.url()}`);
    });
    if (!webSocket) await v.page.routeWebSocket(/./, (ws) => ws.close());
    await v.page.goto(`${url}/`);
    return v;
  }
  t(id) {
    return this.page.locator(`#${id}`);
  }
  /** The button of a room. */
  room(name) {
    return this.page.locator(`[data-name="${name}"]`);
  }
  /** Signs in, with a new account if there is none of that name. */
  async signIn(name, password = 'secret123') {
    await this.t('name').fill(name);
    await this.t('password').fill(password);
    await this.t('submit').click();
    await this.t('text').waitFor();
  }
  async say(text) {
    await this.t('text').fill(text);
    await this.t('text').press('Enter');
  }
  /** The messages that hold it. */
  text(text) {
    return this.page.locator('.text').filter({ hasText: text });
  }
  /** All messages that are shown. */
  texts() {
    return this.page.locator('.text').allTextContents();
  }
  has(text) {
    return until(text, async () => (await this.texts()).includes(text));
  }
  /** Until the page says so of its connection. */
  tells(text) {
    return until(text, async () => text.test(await this.t('banner').textContent()), PATIENCE);
  }
  /** Whether the text comes to be shown, once. */
  shows(text) {
    return until(`"${text}"`, async () => (await this.text(text).count()) === 1, PATIENCE).then(() => true, () => false);
  }
  /** What the page comes to say of its connection. */
  async transport() {
    await this.tells(/^\s*Connected by /).catch(() => null);
    return this.t('banner-text').textContent();
  }
  shot(name) {
    return shots ? this.page.screenshot({ path: join(shots, `${name}.png`) }) : null;
  }
  close() {
    return this.context.close();
  }
}

/** Three visitors of a site, the last one without a WebSocket: what is wrong, or ''. names: three of them. api: as of open(). */
export async function chat(browser, url, names, api) {
  const wrong = [];
  const visitors = await Promise.all(names.map((_, n) => Visitor.open(browser, url, { webSocket: n < 2, api })));
  await Promise.all(visitors.map((v, n) => v.signIn(names[n])));
  const ways = await Promise.all(visitors.map((v) => v.transport()));
  const wanted = ['WebSocket', 'WebSocket', 'long-poll'].map((way) => `Connected by ${way}`);
  if (ways.join() !== wanted.join()) wrong.push(`they say: ${ways}`);
  for (const [n, v] of visitors.entries()) {
    const text = `${names[n]} greets all`;
    await v.say(text);
    const seen = await Promise.all(visitors.map((other) => other.shows(text)));
    if (seen.includes(false)) wrong.push(`"${text}" shown once: ${seen}`);
  }
  wrong.push(...visitors.flatMap((v) => v.faults));
  await Promise.all(visitors.map((v) => v.close()));
  return wrong.join('; ');
}
