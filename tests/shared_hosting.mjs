// SPDX-License-Identifier: MIT
// The folder of "make shared-hosting-dist", put where Apache serves it with
// nothing but its .htaccess, unprivileged, beside a Redis by host and password:
// operations, long-poll, the page in Chromium; wrong settings and no Redis.
// SHARED_HOSTING_FOLDER: a folder made before; SHARED_HOSTING_ROOT: a root whose
// Apache serves it (tests/shared-hosting).
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ok, is, until, start, stop, freePort, post, end, top, work } from './lib.mjs';
import { launch, Visitor } from './lib-page.mjs';

const PASSWORD = 'a-secret-of-redis';
let folder = process.env.SHARED_HOSTING_FOLDER;
const root = process.env.SHARED_HOSTING_ROOT ?? '';
if (!folder) {
  // Not sanitized, from a tarball, as a host gets it.
  mkdirSync(`${work}/build`);
  execFileSync('sh', ['-c', `"${top}/configure" --quiet >/dev/null && make -s shared-hosting-dist SHARED_HOSTING_FLAGS=--here >/dev/null 2>&1`], { cwd: `${work}/build` });
  folder = execFileSync('sh', ['-c', 'echo "$PWD"/*-shared-hosting'], { cwd: `${work}/build` }).toString().trim();
}
const within = (command, ...args) => execFileSync(root ? 'chroot' : command, root ? [root, command, ...args] : args).toString();

// Where Apache is: below the root, or here. Another /tmp may be mounted there.
const base = mkdtempSync(join(root ? `${root}/srv` : work, 'site-'));
const inside = base.slice(root.length);
process.on('exit', () => rmSync(base, { recursive: true, force: true }));
chmodSync(base, 0o755);
cpSync(folder, `${base}/htdocs/chat`, { recursive: true });
const site = `${base}/htdocs/chat`;
const needed = within('ldd', `${inside}/htdocs/chat/palaver.cgi`).split('\n').filter(Boolean).map((l) => l.trim().split(/[ (]/)[0].replace(/^.*\//, '').replace(/\.so.*/, ''));
is(needed.filter((l) => !/^(linux-vdso|libc|libm|libpthread|libdl|librt|ld-linux-.*)$/.test(l)).join(), '', 'palaver.cgi needs nothing but libc');
if (root) {
  // By name it may need no more than the oldest Debian's libc has.
  const versions = execFileSync('readelf', ['--version-info', `${site}/palaver.cgi`]).toString().match(/(?<=GLIBC_)2\.\d+/g).map((v) => Number(v.slice(2)));
  ok(Math.max(...versions) <= 31, `palaver.cgi starts with glibc 2.${Math.max(...versions)}`, versions.join());
}
// In one program our functions would take the place of a library's own of the
// same name, unseen.
const defines = (...archives) => new Set(execFileSync('nm', ['-g', '--defined-only', ...archives], { stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 26 })
  .toString().split('\n').map((l) => l.split(' ')).filter((l) => l.length === 3).map((l) => l[2]));
const libraries = defines(...['hiredis', 'json-c', 'uv_a', 'sodium', 'uuid', 'fcgi'].map((l) => execFileSync('gcc', [`-print-file-name=lib${l}.a`]).toString().trim()));
ok(libraries.has('uuid_pack') && libraries.has('FCGX_Init'), 'what the libraries define is known');
is([...defines(`${process.env.PALAVER_BUILD}/libpalaver.a`)].filter((n) => libraries.has(n)).join(), '', 'no function of ours has the name of a function in a library');

// A Redis as hosting sells it: by host and password, with no INFO, and bounded.
const redisPort = await freePort();
start('redis', 'redis-server', ['--port', redisPort, '--bind', '127.0.0.1', '--requirepass', PASSWORD, '--save', '', '--dir', work,
  '--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru']);
const redis = (...args) => execFileSync('redis-cli', ['-p', redisPort, '--no-auth-warning', '-a', PASSWORD, ...args]).toString().trim();
await until('Redis', () => { try { return redis('ping') === 'PONG'; } catch { return false; } });
const settings = readFileSync(`${site}/palaver.conf`, 'utf8');
const configure = (redisIs, more = '') => writeFileSync(`${site}/palaver.conf`, `${settings}\nredis = ${redisIs}\n${more}`);
const right = `redis://:${PASSWORD}@127.0.0.1:${redisPort}`;
configure(right);

const port = await freePort();
const asRoot = process.getuid() === 0;
mkdirSync(`${base}/run`);
if (asRoot) execFileSync('chown', ['-R', '65534:65534', base]); // nobody
const modules = ['mpm_event', 'unixd', 'authz_core', 'dir', 'mime', 'cgid', 'rewrite', 'setenvif', 'headers'].filter((m) => m !== 'unixd');
writeFileSync(`${base}/apache.conf`, `ServerRoot ${inside}
ServerName localhost
KeepAlive Off
PidFile ${inside}/run/pid
DefaultRuntimeDir ${inside}/run
ErrorLog ${inside}/run/error.log
Listen 127.0.0.1:${port}
${modules.map((m) => `LoadModule ${m}_module /usr/lib/apache2/modules/mod_${m}.so`).join('\n')}
ScriptSock ${inside}/run/cgid.sock
TypesConfig ${inside}/types
DocumentRoot ${inside}/htdocs
<Directory ${inside}/htdocs>
	AllowOverride All
	Require all granted
</Directory>
`);
writeFileSync(`${base}/types`, 'text/html html\ntext/css css\ntext/javascript js\nimage/svg+xml svg\n');
const apache = ['/usr/sbin/apache2', '-f', `${inside}/apache.conf`, '-D', 'FOREGROUND'];
if (root) start('apache', 'chroot', ['--userspec=65534:65534', root, ...apache]);
else if (asRoot) start('apache', 'setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', ...apache]);
else start('apache', apache[0], apache.slice(1));
const url = `http://localhost:${port}/chat`;
const log = () => readFileSync(`${base}/run/error.log`, 'utf8');
await until('Apache', () => fetch(`${url}/`).then((r) => r.ok, () => false));

const health = await (await fetch(`${url}/api/health`)).json();
if (health.type !== 'health') console.log(log().replace(/^/gm, '# '));
is(JSON.stringify(health), '{"type":"health","health":{"redis":"ok","eviction":"allkeys-lru"}}', 'the policy of eviction is reported');
for (const kept of ['palaver.conf~', 'palaver.conf.bak', '.palaver.conf.swp']) writeFileSync(`${site}/${kept}`, `redis = ${right}\n`, { mode: 0o644 });
for (const file of ['palaver.conf', 'palaver.conf~', 'palaver.conf.bak', '.palaver.conf.swp', '.htaccess', 'READ-ME.txt']) is((await fetch(`${url}/${file}`)).status, 403, `${file} is not served`);
for (const [path, wanted] of [['', 'no-cache nosniff'], ['palaver.js', 'no-cache nosniff'], ['api/health', 'no-store nosniff']]) {
  const { headers } = await fetch(`${url}/${path}`);
  is(`${headers.get('cache-control')} ${headers.get('x-content-type-options')}`, wanted, `/${path}: how it is to be kept`);
}
is((await fetch(`${url}/ws`)).status, 404, 'there is no WebSocket');
const me = (await post(url, 'signIn', { signIn: { username: 'carl', password: 'secret123' } })).authorized;
const users = await (await fetch(`${url}/api/users?limit=5`, { headers: { Authorization: `Bearer ${me.accessKey}` } })).json();
is(users.users?.users[0].Username, 'carl', 'Authorization is passed, and the query');
const told = execFileSync('sh', ['-c', `sh "${top}/conf/palaver-doctor" --wait 2 "${url}/" || :`]).toString();
ok(/FAIL +Redis +.*allkeys-lru.*noeviction/.test(told), 'palaver-doctor says that Redis may evict', told);
ok(/ok +long-poll/.test(told) && /ok +Authorization/.test(told) && /ok +timeouts/.test(told), 'palaver-doctor finds the rest in order', told);
redis('config', 'set', 'maxmemory', '0');
is(JSON.stringify((await (await fetch(`${url}/api/health`)).json()).health), '{"redis":"ok"}', 'nothing is evicted where nothing is bounded');

// INFO, ROLE and functions refused, as hosted ones may.
redis('acl', 'setuser', 'hosted', 'on', `>${PASSWORD}`, '~*', '&*', '+@all', '-info', '-role', '-config', '-client', '-function', '-fcall');
configure(`redis://hosted:${PASSWORD}@127.0.0.1:${redisPort}`);
is((await (await fetch(`${url}/api/health`)).json()).health?.redis, 'ok', 'a Redis that refuses INFO, ROLE, CONFIG and CLIENT will do');
is((await post(url, 'channelMessage', { accessKey: me.accessKey, channelMessage: { message: 'by the hosted' } })).channelMessage?.Message, 'by the hosted', 'and stores');
configure(right);

// The page, by long-poll.
const browser = await launch();
// One after the other: each request is a process, and here a slow one.
const visitors = [];
for (const name of ['ann', 'bob']) {
  const visitor = await Visitor.open(browser, url);
  await visitor.signIn(name);
  visitors.push(visitor);
}
const [ann, bob] = visitors;
for (const [from, to, text] of [[ann, bob, 'hello bob'], [bob, ann, 'hello ann']]) {
  await from.say(text);
  ok(await to.shows(text) && await from.shows(text), `the page: "${text}" arrives, once`);
}
is(await bob.transport(), 'Connected by long-poll', 'by long-poll, as the page says');
is([...ann.faults, ...bob.faults].join('; '), '', 'no error on the page, no request elsewhere');
if (process.env.PALAVER_SHOTS) await bob.page.screenshot({ path: join(process.env.PALAVER_SHOTS, 'shared-hosting.png') });
await ann.close();
await bob.close();

// What a visitor sees when it is set up wrongly, and what the log says.
async function refused(what, reason) {
  const visitor = await Visitor.open(browser, url);
  const { page } = visitor;
  await page.locator('#name').fill('dora');
  await page.locator('#password').fill('secret123');
  await page.locator('#submit').click();
  ok(await until('a word', async () => {
    const said = await page.locator('body').innerText();
    return /Not connected|not available|try again/i.test(said) && !/JSON|undefined|NaN|redis/i.test(said);
  }, 30000).catch(() => false), `${what}: the visitor is told in plain words`, await page.locator('body').innerText());
  if (process.env.PALAVER_SHOTS) await page.screenshot({ path: join(process.env.PALAVER_SHOTS, `shared-hosting-${what.replaceAll(' ', '-')}.png`) });
  await visitor.close();
  const r = await post(url, 'users', { accessKey: me.accessKey });
  is(`${r.status} ${r.error?.code}`, '503 20', `${what}: an operation is error 20`);
  ok(reason.test(log()), `${what}: the log has the reason`, log().slice(-500));
}
configure(right, 'nosuch = 1\n');
await refused('a wrong setting', /palaver\.conf:\d+: nosuch/);
configure(`redis://:wrong@127.0.0.1:${redisPort}`);
await refused('a wrong password', /WRONGPASS/);
configure(right);
await stop('redis');
await refused('no Redis', /redis:.*(refused|connect)/i);
ok(!log().includes(PASSWORD), 'the password stands in no log');
await browser.close();
await end('apache');
