// SPDX-License-Identifier: MIT
// Whose request it is: X-Forwarded-For, honest and forged.
import { is } from '../lib.mjs';
import { PASSWORD } from './person.mjs';

/** The codes of wrong passwords for a name, from addresses; X-Forwarded-For says so. */
async function guesses(site, how, name, from, addresses) {
  const codes = [];
  for (const address of addresses) {
    const headers = { 'X-Forwarded-For': address };
    const signIn = { type: 'signIn', signIn: { username: name, password: 'a wrong one' } };
    if (how === 'HTTP') {
      codes.push((await site.post('signIn', signIn, { from, headers })).error.code);
    } else {
      const c = await site.socket({ from, headers });
      codes.push((await c.ask(signIn, 'error')).error.code);
      c.ws.close();
    }
  }
  return codes.join();
}
export async function addresses(site) {
  for (const how of ['HTTP', 'WebSocket']) {
    const name = `${how}${site.secure ? 2 : 1}`;
    const { authorized } = await site.post('signUp', { signUp: { username: name, password: PASSWORD } });
    await site.post('signOut', { accessKey: authorized.accessKey, sessionUUID: authorized.sessionUUID });
    is(await guesses(site, how, name, undefined, ['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2']), '5,5,5,9,5',
      `${site.name}: X-Forwarded-For of a proxy that is trusted, ${how}`);
    // Whoever else asks is whom the web server sees, whatever he writes.
    is(await guesses(site, how, name, '127.0.0.2', ['192.0.2.3', '192.0.2.4', '127.0.0.1', '192.0.2.5']), '5,5,5,9',
      `${site.name}: a forged one, ${how}`);
  }
}
