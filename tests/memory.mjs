// SPDX-License-Identifier: MIT
// A bridge without memory: the sanitizer's allocator gives none beyond a bound,
// to anybody in the process. Those whose request cannot be kept are closed with
// 1013, and nobody ends the process. (It keeps what was freed, so that how the
// bridge goes on when there is room again is not shown here.)
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startRedis, startBridge, signal, stop, Client, ok, is, until, end, work } from './lib.mjs';

const CLIENTS = 150;
const LIMIT = 45; // MiB; the bridge has some 14 with that many clients
await startRedis();
const bridge = await startBridge('bridge', {
  PALAVER_ADDRESS_CONNECTIONS: '0', PALAVER_REQUEST_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_OPERATION_TIMEOUT: '60000',
  ASAN_OPTIONS: `detect_leaks=1:log_path=${work}/limit:allocator_may_return_null=1:soft_rss_limit_mb=${LIMIT}:quarantine_size_mb=0:thread_local_quarantine_size_kb=0:allocator_release_to_os_interval_ms=50`,
});
const size = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${bridge.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
const lives = () => bridge.exitCode === null && bridge.signalCode === null;
const at = `ws+unix://${work}/bridge.sock:/ws`;
const clients = [];
for (let i = 0; i < CLIENTS; i += 1) clients.push(await Client.open(at));

// Redis answers nothing, so that what each client asks has to be kept.
signal('redis', 'SIGSTOP');
const large = JSON.stringify({ type: 'signIn', signIn: { username: 'x', password: 'secret123', more: 'x'.repeat(60000) } });
for (let i = 0; !clients.some((c) => c.code) && i < 3 * CLIENTS; i += 1) {
  clients[i % CLIENTS].send(large);
  await new Promise((r) => setTimeout(r, 5));
}
// The allocator looks ten times a second, so others follow.
for (const c of clients) c.send(large);
await until('some to be closed', () => clients.some((c) => c.code));
ok(clients.every((c) => [0, 1013].includes(c.code)), `beyond ${LIMIT} MiB (${size().toFixed()} by now) ${clients.filter((c) => c.code === 1013).length} of ${CLIENTS} are closed with 1013`, clients.map((c) => c.code).join());
is(clients.find((c) => c.code).reason, 'out of memory', 'for that reason');
ok(lives(), 'the bridge lives');

signal('redis', 'SIGCONT');
is(await stop('bridge'), 0, 'it ends well');
const said = readdirSync(work).filter((f) => f.startsWith('limit')).map((f) => readFileSync(join(work, f), 'utf8')).join('');
is(said.replace(/^==\d+==.*soft rss limit.*\n/gm, ''), '', 'the sanitizers found nothing but the bound');
await end();
