// SPDX-License-Identifier: MIT
// The page in Chromium on a site of each web server, over http at / and over
// https with wss below a path that the snippets do not have: three people see
// each other's messages, two of them by WebSocket, one by long-poll, as the page
// says. The same where the page is on one host and all else on another, if
// "origins" has it.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { ok, is, until, end, startBridge, startNginx, startRedis, startResponder, work } from './lib.mjs';
import { SETUPS, certificate, close, open, prepare } from './lib-hosting.mjs';
import { chat, launch, Visitor } from './lib-page.mjs';

const ca = certificate();
prepare();
const browser = await launch();
// One of each server: the page sees nothing of how its responder is run.
const servers = [...new Map(SETUPS.map((s) => [s.server, s])).keys()].map((server) => SETUPS.find((s) => s.server === server));
const setups = await Promise.all(servers.map((s, n) => open(s, n, ca, '/some/talk')));
for (const s of setups) {
  for (const site of s.sites) {
    const way = site.secure ? 'https' : 'http';
    const wrong = await chat(browser, site.url, ['ann', 'bob', 'cay'].map((name) => `${name} by ${way}`)).catch((e) => e.stack);
    if (site.secure) is(new URL((await site.get('')).headers.location, site.origin).href, `${site.url}/`, `${s.name}: its path without a slash`);
    ok(wrong === '', `${s.name}: ${site.url}: they chat, each by the transport that the page shows`, wrong);
  }
}

// ---- the page on another host, where nothing else answers ----

/** A page on site.localhost whose service is on api.localhost; their URLs. */
async function apart(name, origins) {
  const folder = `${work}/${name}`;
  cpSync(`${work}/www`, folder, { recursive: true });
  const on = (url, host) => url.replace('127.0.0.1', `${host}.localhost`);
  const page = on(await startNginx(['nobody'], ['nobody'], `${name}-site`, 502, folder), 'site');
  const env = { PALAVER_ORIGINS: origins(page) };
  await startResponder(`${name}-responder`, env);
  await startBridge(`${name}-bridge`, env);
  const api = on(await startNginx([`${name}-responder`], [`${name}-bridge`], `${name}-api`), 'api');
  // As www/README.md says.
  const index = readFileSync(`${folder}/index.html`, 'utf8').replace('content="./"', `content="${api}/"`)
    .replace("connect-src 'self'", `connect-src ${api} ${api.replace('http', 'ws')}`);
  writeFileSync(`${folder}/index.html`, index);
  return { page, api };
}

await startRedis();
const allowed = await apart('with', (page) => page);
const wrong = await chat(browser, allowed.page, ['dan', 'eve', 'fay'], allowed.api).catch((e) => e.stack);
ok(wrong === '', `${allowed.page}: they chat by what is on ${allowed.api}`, wrong);
const refused = await apart('without', () => '');
const gus = await Visitor.open(browser, refused.page, { api: refused.api });
const told = `Not connected: ${new URL(refused.api).host} is away, or its "origins" lack ${refused.page}. Trying again`;
await gus.tells(/Not connected/);
is(await gus.t('banner-text').textContent(), told, 'a page that is not among the origins says so');
await gus.shot('origins');
const hal = await Visitor.open(browser, allowed.api);
await hal.t('name').fill('hal');
await hal.t('password').fill('secret123');
await hal.t('submit').click();
await until('an error', async () => await hal.t('form-error').textContent() !== '', 60000);
is(await hal.t('form-error').textContent(), `The service refuses this page: its "origins" lack ${allowed.api}.`, 'and so does one beside it that is not');
is([gus, hal].flatMap((v) => v.faults).join('; '), '', 'without an error of its own');
await browser.close();
for (const s of setups) {
  const bad = await close(s);
  ok(bad === '', `${s.name}: all end well`, bad);
}
await end();
