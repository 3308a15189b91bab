// SPDX-License-Identifier: MIT
// A busy honest chat at the limits' defaults: people behind one address, each with
// two tabs, who come at once, write in bursts, search at each key stroke and page
// through what was said. Nobody meets a limit, nobody misses a message.
import { startTwoBridges, Client, ok, is, until, post, end } from './lib.mjs';

const PEOPLE = 20;
const TABS = 2;
const ROOMS = ['one', 'two', 'three', 'four', 'five'];
const BURST = 5; // messages, every 2.5 s: two a second all along
const MESSAGES = 20; // of each
const { url, bridge } = await startTwoBridges({});

const refused = [];
async function http(person, type, payload) {
  const r = await post(url, type, { accessKey: person.key, [type]: payload });
  if (r.status !== 200) refused.push(`${type} ${r.status} ${JSON.stringify(r.error)}`);
  return r;
}
async function arrive(n) {
  const { authorized } = await post(url, 'signUp', { signUp: { username: `person${n}`, password: 'secret123' } });
  const person = { key: authorized.accessKey, said: 0 };
  person.tabs = await Promise.all(Array.from({ length: TABS }, async (_, k) => {
    const tab = await Client.open(bridge((n + k) % 2 + 1));
    await tab.ask({ type: 'signIn', signIn: { accessKey: person.key } }, 'authorized');
    for (const channel of ROOMS) tab.send({ type: 'channelJoin', id: channel, channelJoin: { channel, limit: 50 } });
    for (const type of ['users', 'channels']) tab.send({ type, [type]: {} });
    await until('all rooms', () => ROOMS.every((channel) => tab.frames.some((f) => f.type === 'channelJoin' && f.id === channel)));
    return tab;
  }));
  return person;
}
const people = await Promise.all(Array.from({ length: PEOPLE }, (_, n) => arrive(n)));

const said = [];
const does = (n, every, what) => setInterval(() => what(people[n], people[n].tabs[people[n].said % TABS]), every);
const timers = people.flatMap((_, n) => [
  does(n, (BURST / 2) * 1000, (person, tab) => {
    for (let k = 0; k < BURST && person.said < MESSAGES; k += 1) {
      const message = `${n} says ${person.said += 1}`;
      said.push(message);
      tab.send({ type: 'channelMessage', channelMessage: { channel: ROOMS[n % ROOMS.length], message } });
    }
  }),
  does(n, 300, (_, tab) => tab.send({ type: 'users', users: { search: 'person', limit: 10 } })),
  does(n, 1000, (_, tab) => tab.send({ type: 'channelRead', channelRead: { channel: ROOMS[n % ROOMS.length], seq: 1 } })),
  does(n, 500, (person) => http(person, 'channelMessages', { channel: ROOMS[0] })),
]);
await until('all to have had their say', () => said.length === PEOPLE * MESSAGES, 60000);
timers.forEach(clearInterval);

const tabs = people.flatMap((person) => person.tabs);
const had = (tab) => new Set(tab.frames.map((f) => f.channelMessage?.Message)).size - 1;
await until('all messages', () => tabs.every((tab) => tab.code !== 0 || had(tab) >= said.length)).catch(() => {});
is(tabs.filter((tab) => had(tab) !== said.length).length, 0, `each of ${tabs.length} tabs had each of ${said.length} messages`);
const errors = tabs.flatMap((tab) => tab.frames.filter((f) => f.type === 'error'));
is(JSON.stringify(errors.slice(0, 3)), '[]', 'no tab was refused anything');
ok(tabs.every((tab) => tab.code === 0), 'none was closed', tabs.map((tab) => tab.code).join(' '));
is(refused.slice(0, 3).join('; '), '', 'nor was anything refused over HTTP');
await end('responder', 'b1', 'b2');
