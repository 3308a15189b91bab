// SPDX-License-Identifier: MIT
// For the tests in JavaScript: several Redis, and one address that the programs
// know, behind which another of them answers from one moment to the next.
import { execFile } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { mkdirSync } from 'node:fs';
import { start, stop, freePort, until, work } from './lib.mjs';

export const cli = (port, ...args) => new Promise((done) => {
  execFile('redis-cli', ['-p', String(port), ...args], (_, out) => done(String(out).trim()));
});

/** A Redis at a port of its own; after: the port of the one that it copies. */
export async function redisAt(name, after) {
  const port = await freePort();
  mkdirSync(`${work}/${name}`);
  start(name, 'redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', `${work}/${name}`, '--repl-diskless-sync-delay', '0',
    ...(after ? ['--replicaof', '127.0.0.1', String(after)] : [])]);
  await until(name, async () => (await cli(port, 'PING')) === 'PONG');
  if (after) await until('the copy', async () => /master_link_status:up/.test(await cli(port, 'INFO', 'replication')));
  return { name, port };
}

/** Until the copy has all that from has; WAIT tells only of its own client's. */
export async function copied(from, copy) {
  const offset = async (r) => /master_repl_offset:(\d+)/.exec(await cli(r.port, 'INFO', 'replication'))?.[1];
  await until('the copy to have it all', async () => {
    const before = await offset(from);
    return before === await offset(copy) && before === await offset(from);
  });
}

/** From now on the copy follows no more: what comes is lost to it. */
export const parted = (copy) => cli(copy.port, 'REPLICAOF', 'NO', 'ONE');

export class Address {
  #held = new Set();
  #server;

  /** Where target answers. */
  static async of(target) {
    const a = new Address();
    a.target = target;
    a.#server = createServer((from) => a.#accept(from));
    await new Promise((r) => { a.#server.listen(0, '127.0.0.1', r); });
    a.url = `redis://127.0.0.1:${a.#server.address().port}`;
    return a;
  }

  #accept(from) {
    const to = connect(this.target.port, '127.0.0.1');
    for (const [a, b] of [[from, to], [to, from]]) {
      this.#held.add(a);
      a.on('data', (d) => b.write(d));
      a.on('close', () => {
        this.#held.delete(a);
        b.destroy();
      });
      a.on('error', () => {});
    }
  }

  /** The one that answers is killed, and from now on the other one does. */
  async promote(other) {
    await stop(this.target.name, 'SIGKILL');
    await parted(other);
    this.target = other;
    for (const s of this.#held) s.destroy();
  }

  close() {
    this.#server.close();
  }
}
