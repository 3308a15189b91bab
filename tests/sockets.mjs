// SPDX-License-Identifier: MIT
// Where a responder listens: a socket handed over as fd 0 or by systemd, one
// that several processes share, a path, a host and port; who may connect; and a
// restart under load, the socket being held by a supervisor.
import { execFileSync, spawnSync } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { chmodSync, existsSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { startRedis, startBridge, start, stop, post, freePort, ok, is, until, end, top, work } from './lib.mjs';
import { ask } from './lib-fcgi.mjs';

const responder = `${process.env.PALAVER_BUILD}/fcgi/palaver.fcgi`;
const answers = async (target) => (await ask(target, 'nosuch').catch(() => null))?.status === 404;
const alive = (pid) => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};
await startRedis();

// A listening socket as fd 0: spawn-fcgi makes it and becomes the responder.
start('fd0', 'spawn-fcgi', ['-n', '-b', '1024', '-s', `${work}/fd0.sock`, '--', responder]);
ok(await until('fd 0', () => answers(`${work}/fd0.sock`)), 'a socket as fd 0');
is(await stop('fd0'), 0, 'it ends well');
ok(existsSync(`${work}/fd0.sock`), 'and leaves a socket that is not its own');

// systemd's way: fd 3, LISTEN_FDS, LISTEN_PID; here by its own tool.
start('systemd', 'systemd-socket-activate', ['-l', `${work}/systemd.sock`, '-E', 'PALAVER_REDIS', '-E', 'ASAN_OPTIONS', responder]);
await until('the socket', () => existsSync(`${work}/systemd.sock`));
ok(await until('fd 3', () => answers(`${work}/systemd.sock`)), "systemd's socket");
is(await stop('systemd'), 0, 'it ends well');
// The same variables, left over from a parent, say nothing.
start('stale', 'spawn-fcgi', ['-n', '-s', `${work}/stale.sock`, '--', responder], { LISTEN_FDS: '1', LISTEN_PID: '1' });
ok(await until('fd 0', () => answers(`${work}/stale.sock`)), 'LISTEN_PID of another process is passed over');
is(await stop('stale'), 0, 'it ends well');
const none = spawnSync('sh', ['-c', `LISTEN_FDS=1 LISTEN_PID=$$ exec ${responder} 3</dev/null`], { encoding: 'utf8' });
ok(none.status === 2 && /fd 3 is no listening socket/.test(none.stderr), 'no socket where systemd says one is');

// Several processes on one socket: each serves when the others cannot.
const said = execFileSync('spawn-fcgi', ['-F', '3', '-b', '1024', '-s', `${work}/shared.sock`, '--', responder],
  { encoding: 'utf8', env: { ...process.env, PALAVER_REDIS: `unix:${work}/redis.sock`, ASAN_OPTIONS: `log_path=${work}/asan` } });
const shared = [...said.matchAll(/PID: (\d+)/g)].map((m) => Number(m[1]));
process.on('exit', () => shared.filter(alive).forEach((pid) => process.kill(pid, 'SIGKILL')));
is(shared.length, 3, 'three processes on one socket');
await until('them', () => answers(`${work}/shared.sock`));
for (const pid of shared) {
  const others = shared.filter((p) => p !== pid);
  others.forEach((p) => process.kill(p, 'SIGSTOP'));
  await until('them to stand still', () => others.every((p) => /^State:\s+T/m.test(readFileSync(`/proc/${p}/status`, 'utf8'))));
  ok(await answers(`${work}/shared.sock`), `process ${1 + shared.indexOf(pid)} serves`);
  others.forEach((p) => process.kill(p, 'SIGCONT'));
}
const many = await Promise.all(Array.from({ length: 200 }, () => answers(`${work}/shared.sock`)));
ok(many.every(Boolean), '200 requests at once are answered');
process.kill(shared[0], 'SIGTERM');
await until('its end', () => !alive(shared[0]));
ok(await answers(`${work}/shared.sock`), 'when one ends, the others serve on: the socket is not shut down');
shared.forEach((pid) => alive(pid) && process.kill(pid, 'SIGTERM'));
await until('their end', () => !shared.some(alive));

// A host and port, of both families.
for (const host of ['127.0.0.1', '[::1]']) {
  const port = await freePort();
  const name = `tcp${host.length}`;
  start(name, responder, ['--listen', `${host}:${port}`]);
  ok(await until(host, () => answers({ host: host.replace(/[[\]]/g, ''), port })), `--listen ${host}:port`);
  const second = spawnSync(responder, ['--listen', `${host}:${port}`], { encoding: 'utf8' });
  ok(second.status === 2 && /in use/.test(second.stderr), 'a port in use is said so');
  is(await stop(name), 0, 'it ends well');
}
for (const wrong of ['127.0.0.1', '127.0.0.1:0', '127.0.0.1:70000', '127.0.0.1:80x', `unix:${work}/${'x'.repeat(120)}`]) {
  is(spawnSync(responder, ['--listen', wrong]).status, 2, `--listen ${wrong.slice(-20)} is refused`);
}

// Who may connect to a unix socket.
const group = execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim();
const gid = Number(execFileSync('id', ['-g'], { encoding: 'utf8' }));
const other = process.getuid() === 0 ? { name: 'www-data', gid: Number(execFileSync('sh', ['-c', 'getent group www-data | cut -d: -f3'])) } : { name: group, gid };
const settings = { PALAVER_SOCKET_MODE: '0620', PALAVER_SOCKET_GROUP: other.name };
start('mode', responder, ['--listen', `unix:${work}/mode.sock`], settings);
await until('it', () => answers(`${work}/mode.sock`));
await startBridge('bridge', settings);
for (const name of ['mode', 'bridge']) {
  const s = statSync(`${work}/${name}.sock`);
  is((s.mode & 0o777).toString(8), '620', `socket_mode of ${name}`);
  is(s.gid, other.gid, `socket_group of ${name}`);
}
is(await stop('mode'), 0, 'it ends well');
start('default', responder, ['--listen', `unix:${work}/default.sock`], { PALAVER_SOCKET_MODE: undefined });
await until('it', () => answers(`${work}/default.sock`));
is((statSync(`${work}/default.sock`).mode & 0o777).toString(8), '660', 'the default is 0660');
// One that was killed leaves its socket, which the next one takes over.
await stop('default', 'SIGKILL');
start('next', responder, ['--listen', `unix:${work}/default.sock`]);
ok(await until('it', () => answers(`${work}/default.sock`)), 'a dead socket is replaced');
is(await stop('next'), 0, 'it ends well');
writeFileSync(`${work}/file`, 'mine');
is(spawnSync(responder, ['--listen', `unix:${work}/file`]).status, 2, 'what is no socket is left alone');
is(readFileSync(`${work}/file`, 'utf8'), 'mine', 'as it was');
const nobody = spawnSync(responder, ['--listen', `unix:${work}/none.sock`, '--socket_group=no-such-group'], { encoding: 'utf8' });
ok(nobody.status === 2 && /socket_group/.test(nobody.stderr), 'an unknown group is said so');

// Restarts under load. A shell holds the socket and starts the responder anew.
unlinkSync(`${work}/file`);
start('held', 'spawn-fcgi', ['-n', '-b', '1024', '-s', `${work}/held.sock`, '--', '/bin/sh', '-c',
  `trap 'ending=1' TERM; while [ -z "$ending" ]; do sh -c 'echo $$ >${work}/held.pid; exec ${responder}' || echo "exit $?" >>${work}/held.bad; done`]);
await until('it', () => answers(`${work}/held.sock`));
const port = await freePort();
const kept = await freePort();
const site = execFileSync('sh', [`${top}/conf/nginx-site`, work, `127.0.0.1:${port}`, `${top}/www`, `${work}/held.sock`, `${work}/bridge.sock`], { encoding: 'utf8' });
writeFileSync(`${work}/nginx.conf`, site.replace(/\n}\n$/, `
	upstream kept { server unix:${work}/held.sock; keepalive 8; }
	upstream counted { server unix:${work}/counted.sock; keepalive 8; }
	server {
		listen 127.0.0.1:${kept};
		location /api/ {
			include /etc/nginx/fastcgi_params;
			fastcgi_param HTTP_HOST $http_host;
			fastcgi_keep_conn on;
			fastcgi_pass kept;
		}
		location /counted/ {
			include /etc/nginx/fastcgi_params;
			fastcgi_param HTTP_HOST $http_host;
			fastcgi_keep_conn on;
			fastcgi_pass counted;
		}
	}
}
`));
start('nginx', 'nginx', ['-c', `${work}/nginx.conf`, '-e', `${work}/nginx.log`]);
const site1 = `http://127.0.0.1:${port}`;
const site2 = `http://127.0.0.1:${kept}`;
await until('nginx', () => fetch(`${site1}/api/health`).then((r) => r.ok, () => false));
const { authorized } = await post(site1, 'signIn', { signIn: { username: 'ann', password: 'secret123' } });
// Kept connections: a way through that counts them.
let connections = 0;
const counter = createServer((from) => {
  connections += 1;
  const to = connect(`${work}/held.sock`);
  from.pipe(to).pipe(from);
  for (const one of [from, to]) one.on('error', () => {});
}).listen(`${work}/counted.sock`);
await until('it', () => existsSync(`${work}/counted.sock`));
chmodSync(`${work}/counted.sock`, 0o777);
const REQUESTS = 400;
const got = (await Promise.all(Array.from({ length: 4 }, async () => {
  const all = [];
  for (let n = 0; n < REQUESTS / 4; n += 1) {
    const r = await fetch(`${site2}/counted/users`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ accessKey: authorized.accessKey }) });
    all.push(`${r.status} ${(await r.json()).type}`);
  }
  return all;
}))).flat();
ok(got.length === REQUESTS && got.every((s) => s === '200 users'), `${REQUESTS} requests on kept connections`);
ok(connections <= 8, `which are ${connections}`);
counter.close();
let done = 0;
let working = true;
const bad = [];
const load = Array.from({ length: 16 }, async (_, n) => {
  while (working) {
    const r = await post(n % 4 ? site2 : site1, 'users', { accessKey: authorized.accessKey }).catch((e) => ({ status: String(e) }));
    done += 1;
    if (r.status !== 200) bad.push(`${n % 4 ? 'kept' : 'new'}: ${r.status}`);
  }
});
const pidOf = () => Number(readFileSync(`${work}/held.pid`, 'utf8'));
const RESTARTS = 12;
for (let n = 0; n < RESTARTS; n += 1) {
  const before = done;
  const pid = pidOf();
  await until('load', () => done > before + 100);
  process.kill(pid, 'SIGTERM');
  await until('the next one', () => ![0, pid].includes(pidOf())); // 0: it is being written
}
const before = done;
await until('load', () => done > before + 100);
working = false;
await Promise.all(load);
is(bad.join(', '), '', `${RESTARTS} restarts under load: none of ${done} requests failed, on new and on kept connections`);
ok(!existsSync(`${work}/held.bad`), 'each one ended well');
const last = pidOf();
const held = stop('held');
process.kill(last, 'SIGTERM');
await held;
await end('bridge');
