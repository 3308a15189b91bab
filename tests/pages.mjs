// SPDX-License-Identifier: MIT
// The page in Chromium on a site of each web server, over http at / and over
// https with wss below a path that the snippets do not have: three people see each other's messages, two of
// them by WebSocket, one by long-poll, as the page says.
import { ok, is, end } from './lib.mjs';
import { SETUPS, certificate, close, open, prepare } from './lib-hosting.mjs';
import { chat, launch } from './lib-page.mjs';

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
await browser.close();
for (const s of setups) {
  const bad = await close(s);
  ok(bad === '', `${s.name}: all end well`, bad);
}
await end();
