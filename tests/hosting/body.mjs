// SPDX-License-Identifier: MIT
// The body of tests that each site of each set-up has to pass.
import { once } from 'node:events';
import http2 from 'node:http2';
import { ok, is, until } from '../lib.mjs';
import { bridgeWell } from '../lib-hosting.mjs';
import { addresses } from './addresses.mjs';
import { PASSWORD, handshake, person, seconds } from './person.mjs';
import { doctor } from './scripts.mjs';
import { note } from './table.mjs';
import { leaves, woken } from './waits.mjs';

const CONCURRENT = 200; // requests
const LARGE = '😀'.repeat(4096); // 16 KiB, the largest message

async function page(site) {
  const index = await site.get('/');
  is(`${index.status} ${/<title>[^<]*Palaver/.test(index.text)} ${index.headers['cache-control']} ${index.headers['x-content-type-options']}`, '200 true no-cache nosniff', `${site.name}: the page`);
  const script = await site.get('/palaver.js');
  is(`${script.status} ${script.headers['content-type'].split(';')[0]}`, '200 text/javascript', `${site.name}: its script`);
  const { headers } = await site.get('/api/health');
  is(`${headers['cache-control']} ${headers['x-content-type-options']}`, 'no-store nosniff', `${site.name}: what is told to one is kept nowhere`);
  if (site.url === site.origin) return;
  const without = await site.get('');
  is(`${without.status} ${without.headers.location?.replace(site.origin, '')}`, `301 ${site.setup.below}/`, `${site.name}: without its slash`);
}

async function origins(site) {
  const preflight = (origin) => site.fetch('OPTIONS', '/api/users', undefined, { headers: { Origin: origin } }).then((r) => r.status);
  is(await preflight(site.origin), 204, `${site.name}: the page's own origin`);
  is(await preflight('https://evil.example'), 403, `${site.name}: a foreign one`);
  is(await handshake(site, { headers: { Origin: site.origin } }), 101, `${site.name}: the page's own origin, WebSocket`);
  is(await handshake(site, { headers: { Origin: 'https://evil.example' } }), 403, `${site.name}: a foreign one, WebSocket`);
}

async function conversation(site, ann) {
  const one = await site.socket();
  const two = await site.socket();
  await one.ask({ type: 'signIn', signIn: { accessKey: ann.key } }, 'authorized');
  await two.ask({ type: 'signIn', signIn: { username: 'wim', password: PASSWORD } }, 'authorized');
  await one.ask({ type: 'channelJoin', channelJoin: {} });
  await two.ask({ type: 'channelJoin', channelJoin: {} });
  one.send({ type: 'channelMessage', id: '1', channelMessage: { message: 'hello' } });
  is((await one.next('ack')).id, '1', `${site.name}: a message over WebSocket`);
  is((await two.next('channelMessage')).channelMessage.Message, 'hello', `${site.name}: reaches the other`);
  two.send({ type: 'channelMessage', channelMessage: { message: LARGE } });
  await one.next('channelMessage');
  ok((await one.next('channelMessage')).channelMessage.Message === LARGE, `${site.name}: 16 KiB over WebSocket`);
  const r = await ann.say('channelMessage', { message: LARGE });
  ok(r.status === 200 && r.channelMessage.Message === LARGE, `${site.name}: 16 KiB over HTTP`);
  await two.next('channelMessage');
  ok((await two.next('channelMessage')).channelMessage.Message === LARGE, `${site.name}: reaches a WebSocket`);
  await two.ask({ type: 'signOut' });
  two.ws.close();
  return one;
}

/** Where a browser is offered WebSockets over HTTP/2 (RFC 8441) it takes them. */
async function overHttp2(site) {
  const session = http2.connect(site.origin, { ca: site.ca });
  const [settings] = await once(session, 'remoteSettings');
  ok(settings.enableConnectProtocol, `${site.name}: HTTP/2 with WebSockets`);
  const stream = session.request({
    ':method': 'CONNECT', ':protocol': 'websocket', ':path': new URL(site.ws).pathname, 'sec-websocket-version': '13', origin: site.origin,
  });
  const [head] = await once(stream, 'response');
  const [first] = await once(stream, 'data');
  is(`${head[':status']} ${/"type":"(\w+)"/.exec(first)?.[1]}`, '200 ready', `${site.name}: a WebSocket over HTTP/2`);
  session.destroy();
}

/** A body that comes in two pieces, and whoever else asks meanwhile. */
async function slowUpload(site, ann) {
  const body = JSON.stringify({ accessKey: ann.key, channelMessage: { message: 'slowly' } });
  const reply = new Promise((resolve, reject) => {
    const r = site.request('POST', '/api/channelMessage', { headers: { 'Content-Type': 'application/json', 'Content-Length': body.length } }, resolve);
    r.on('error', reject);
    r.write(body.slice(0, 20));
    (async () => {
      let slowest = 0;
      for (let n = 0; n < 10; n += 1) {
        const began = Date.now();
        await ann.say('users', { limit: 1 });
        slowest = Math.max(slowest, Date.now() - began);
      }
      note(site, 'others ms', slowest);
      r.end(body.slice(20));
    })();
  });
  const r = await reply;
  r.resume();
  is(r.statusCode, 200, `${site.name}: a slow upload`);
}

async function many(site, ann) {
  const began = Date.now();
  const all = await Promise.all(Array.from({ length: CONCURRENT }, () => ann.say('users', { limit: 1 }).catch((e) => ({ status: e.code }))));
  const bad = all.map((r) => r.status).filter((status) => status !== 200);
  is(bad.join(), '', `${site.name}: ${CONCURRENT} requests at once`);
  note(site, `${CONCURRENT} at once s`, seconds(began).toFixed(1));
}

export async function body(site) {
  await until('the bridge', () => bridgeWell(site.setup)); // after Redis was away
  if (site.secure) await doctor(site);
  await page(site);
  await origins(site);
  const ann = await person(site, 'ann2');
  const bob = await person(site, 'bob2');
  is((await site.get('/api/users?limit=1', { headers: { Authorization: `Bearer ${ann.key}` } })).status, 200, `${site.name}: Authorization is passed`);
  const socket = await conversation(site, ann);
  if (site.secure && site.setup.server === 'lighttpd') await overHttp2(site);
  await woken(site, ann, bob);
  await leaves(site, ann, bob);
  await slowUpload(site, ann);
  await many(site, ann);
  await addresses(site);
  await bob.say('signOut');
  return { ann, socket };
}
