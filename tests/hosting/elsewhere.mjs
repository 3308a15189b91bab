// SPDX-License-Identifier: MIT
// The page on another host, and a bridge that was away.
import { appendFileSync } from 'node:fs';
import { ok, is, until } from '../lib.mjs';
import { bridgeWell, responders, restartBridge } from '../lib-hosting.mjs';
import { handshake, seconds } from './person.mjs';

export async function elsewhere(s) {
  const PAGE = 'https://www.example.org';
  const [site] = s.sites;
  const socket = (origin) => handshake(site, { headers: { Origin: origin } });
  const preflight = (origin) => site.fetch('OPTIONS', '/api/users', undefined, { headers: { Origin: origin } });
  await restartBridge(s, async () => {
    appendFileSync(`${s.dir}/palaver.conf`, `origins = ${PAGE}\n`);
    responders(s).forEach((pid) => process.kill(pid, 'SIGTERM'));
    ok(await socket(site.origin) >= 500, `${s.name}: a bridge that is down`);
  });
  await until('the bridge', () => bridgeWell(s), 60000);
  const began = Date.now();
  await until('its WebSockets', () => socket(PAGE).then((status) => status === 101));
  // A server that gives up a backend for a while would do so for 10 s, or 60.
  ok(seconds(began) < 8, `${s.name}: it is back when it runs again`, `${seconds(began)} s`);
  const { headers } = await until('the responder', () => preflight(PAGE).then((r) => r.status === 204 && r), 60000);
  is(headers['access-control-allow-origin'], PAGE, `${s.name}: a page on another host`);
  is((await preflight(site.origin)).status, 403, `${s.name}: is then the only one`);
  is(await socket(site.origin), 403, `${s.name}: by WebSocket as well`);
}
