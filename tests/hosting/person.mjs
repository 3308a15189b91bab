// SPDX-License-Identifier: MIT
// Who asks a site: people with a session over HTTP, WebSockets.
import { until } from '../lib.mjs';
import { redis } from '../lib-hosting.mjs';

export const PASSWORD = 'the right password';

export const seconds = (since) => (Date.now() - since) / 1000;

/** Somebody with a session over HTTP who has joined and seen all. */
export async function person(site, name) {
  // Another process may still be away from Redis, which went and came back.
  const { authorized } = await until(`${site.name}: ${name}`, () => site.post('signIn', { signIn: { username: name, password: PASSWORD } }).then((r) => r.authorized && r));
  const p = { name, uuid: authorized.userUUID, key: authorized.accessKey, session: authorized.sessionUUID };
  p.say = (type, payload = {}, options = {}) => site.post(type, { accessKey: p.key, sessionUUID: p.session, [type]: payload }, options);
  p.cursor = (await p.say('channelJoin')).channelJoin.cursor;
  p.poll = async (wait, options) => {
    const r = await p.say('events', { wait, since: p.cursor }, options);
    if (r.events) p.cursor = r.events.cursor;
    return r;
  };
  p.park = async (wait, options) => {
    while ((await p.poll(0)).events.frames.length) { /* what there was */ }
    const reply = p.poll(wait, options);
    await until('a poll to wait', () => redis(site.setup, 'hget', `palaver:{sys}:s:${p.session}`, 'w'));
    return { reply };
  };
  return p;
}
export const messages = (r) => (r.events?.frames ?? []).filter((f) => f.type === 'channelMessage').map((f) => f.channelMessage.Message);

/** A WebSocket that is refused gives its status, else it is closed again. */
export async function handshake(site, options) {
  const c = await site.socket(options);
  c.ws.close();
  return c.error ? Number(/\d{3}/.exec(c.error.message)?.[0]) : 101;
}
