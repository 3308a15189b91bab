// SPDX-License-Identifier: MIT
// For tests/hosting/all.mjs: sites on real web servers, made of the snippets of
// conf/servers as they stand, with other paths and ports only, in a site as
// Debian has it. Each set-up has a Redis, a bridge and responders of its own,
// and two sites: http at /, https below /chat/, or another path.
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { start, stop, until, freePort, top, work, Client } from './lib.mjs';

const build = process.env.PALAVER_BUILD;
const root = process.getuid() === 0;

/**
 * What the set-ups are: their server, their snippets, who holds the responder's
 * socket, how many polls may hold a process, and when the responder hears that a
 * poll's client has left.
 */
export const SETUPS = [
  { name: 'nginx', server: 'nginx', main: ['nginx-upstreams.conf'], site: ['nginx-palaver.conf'], holder: 'fd0', left: 'at once' },
  { name: 'nginx, keep-alive', server: 'nginx', main: ['nginx-upstreams-keepalive.conf'], site: ['nginx-palaver.conf'], holder: 'systemd', left: 'at once' },
  { name: 'lighttpd mod_fastcgi, socket', server: 'lighttpd', modules: ['mod_fastcgi'], site: ['lighttpd-palaver.conf', 'lighttpd-fastcgi.conf'], holder: 'fd0', left: 'at its end' },
  { name: 'lighttpd mod_fastcgi, started', server: 'lighttpd', modules: ['mod_fastcgi'], site: ['lighttpd-palaver.conf', 'lighttpd-fastcgi-start.conf'], holder: 'server', left: 'at its end' },
  { name: 'lighttpd mod_cgi', server: 'lighttpd', modules: ['mod_cgi'], site: ['lighttpd-palaver.conf', 'lighttpd-cgi.conf'], holder: 'none', slots: 5, left: 'at its end' },
  { name: 'Apache mod_proxy_fcgi', server: 'apache', modules: ['proxy_fcgi'], site: ['apache-proxy-fcgi.conf', 'apache-palaver.conf'], holder: 'systemd', left: 'at its end' },
  { name: 'Apache mod_fcgid', server: 'apache', modules: ['fcgid'], site: ['apache-fcgid.conf', 'apache-palaver.conf'], holder: 'server', slots: 5, left: 'at its end' },
  { name: 'Apache mod_cgid', server: 'apache', modules: ['cgid'], site: ['apache-cgid.conf', 'apache-palaver.conf'], holder: 'none', slots: 5, left: 'at its end' },
];

/** A certificate for localhost, signed by itself. */
export function certificate() {
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', `${work}/key.pem`, '-out', `${work}/cert.pem`], { stdio: 'ignore' });
  writeFileSync(`${work}/both.pem`, readFileSync(`${work}/key.pem`, 'utf8') + readFileSync(`${work}/cert.pem`, 'utf8'));
  return readFileSync(`${work}/cert.pem`, 'utf8');
}

/** A snippet with the paths of a set-up: s.dir instead of the system's, path instead of /chat. */
function snippet(s, name, path) {
  const places = [
    ['/chat', path],
    ['/run/palaver-fcgi.sock', `${s.dir}/responder.sock`],
    ['/run/lighttpd/palaver-fcgi.sock', `${s.dir}/started${path.length}.sock`],
    ['/run/palaver-bridge/ws.sock', `${s.dir}/bridge.sock`],
    ['/usr/local/bin/palaver.fcgi', `${s.dir}/bin/palaver.fcgi`],
    ['/usr/local/etc/palaver/palaver.conf', `${s.dir}/palaver.conf`],
    ['/usr/local/share/palaver/www/', `${work}/www/`],
  ];
  const text = places.reduce((t, [from, to]) => t.replaceAll(from, to), readFileSync(`${top}/conf/servers/${name}`, 'utf8'));
  const file = `${s.dir}/${path ? 'below' : 'root'}-${name}`;
  writeFileSync(file, text);
  return file;
}

// ---- the sites around the snippets, as Debian 12 has them ----

const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' };

function nginxConf(s, include) {
  return `
${root ? 'user root root;' : ''}
worker_processes auto;
pid ${s.dir}/nginx.pid;
error_log ${s.dir}/error.log;
daemon off;
events { worker_connections 768; }
http {
	types { ${Object.entries(TYPES).map(([end, type]) => `${type} ${end};`).join(' ')} }
	gzip on;
	access_log off;
	${['client_body', 'fastcgi', 'proxy', 'uwsgi', 'scgi'].map((n) => `${n}_temp_path ${s.dir}/${n};`).join(' ')}
	${s.main.map((name) => `include ${snippet(s, name, s.below)};`).join('\n')}
	server {
		listen 127.0.0.1:${s.http};
		${include('').map((f) => `include ${f};`).join('\n')}
	}
	server {
		listen 127.0.0.1:${s.https} ssl;
		ssl_certificate ${work}/cert.pem;
		ssl_certificate_key ${work}/key.pem;
		root ${s.dir}/page;
		${include(s.below).map((f) => `include ${f};`).join('\n')}
	}
}
`;
}

function lighttpdConf(s, include) {
  const modules = ['mod_indexfile', 'mod_access', 'mod_alias', 'mod_redirect', 'mod_setenv', 'mod_openssl', ...s.modules, 'mod_proxy', 'mod_staticfile'];
  return `
server.modules = ( ${modules.map((m) => `"${m}"`).join(', ')} )
server.document-root = "${s.dir}/page"
server.errorlog = "${s.dir}/error.log"
server.bind = "127.0.0.1"
server.port = ${s.http}
server.feature-flags += ( "server.h2proto" => "enable", "server.h2c" => "enable", "server.graceful-shutdown-timeout" => 5 )
server.http-parseopts = ( "header-strict" => "enable", "host-strict" => "enable", "host-normalize" => "enable",
	"url-normalize-unreserved" => "enable", "url-normalize-required" => "enable", "url-ctrls-reject" => "enable",
	"url-path-2f-decode" => "enable", "url-path-dotseg-remove" => "enable" )
index-file.names = ( "index.php", "index.html" )
url.access-deny = ( "~", ".inc" )
static-file.exclude-extensions = ( ".php", ".pl", ".fcgi" )
mimetype.assign = ( ${Object.entries(TYPES).map(([end, type]) => `".${end}" => "${type}"`).join(', ')} )
$SERVER["socket"] == "127.0.0.1:${s.https}" {
	ssl.engine = "enable"
	ssl.pemfile = "${work}/both.pem"
}
$HTTP["scheme"] == "http" {
	${include('').map((f) => `include "${f}"`).join('\n')}
}
$HTTP["scheme"] == "https" {
	${include(s.below).map((f) => `include "${f}"`).join('\n')}
}
`;
}

function apacheConf(s, include) {
  const modules = ['mpm_event', 'authz_core', 'alias', 'dir', 'env', 'mime', 'filter', 'deflate', 'headers', 'reqtimeout', 'setenvif', 'proxy', 'proxy_http', 'ssl', ...s.modules];
  return `
ServerRoot ${s.dir}
ServerName localhost
PidFile ${s.dir}/apache.pid
DefaultRuntimeDir ${s.dir}
ErrorLog ${s.dir}/error.log
${root ? 'User www-data\nGroup www-data' : ''}
Listen 127.0.0.1:${s.http}
Listen 127.0.0.1:${s.https}
${modules.map((m) => `LoadModule ${m}_module /usr/lib/apache2/modules/mod_${m}.so`).join('\n')}
# mpm_event.conf, reqtimeout.conf, deflate.conf
StartServers 2
MinSpareThreads 25
MaxSpareThreads 75
ThreadLimit 64
ThreadsPerChild 25
MaxRequestWorkers 150
MaxConnectionsPerChild 0
RequestReadTimeout header=20-40,minrate=500
RequestReadTimeout body=10,minrate=500
AddOutputFilterByType DEFLATE text/html text/css text/javascript application/javascript
${Object.entries(TYPES).map(([end, type]) => `AddType ${type} .${end}`).join('\n')}
<Directory />
	Options FollowSymLinks
	AllowOverride None
	Require all denied
</Directory>
<Directory ${s.dir}/page>
	Require all granted
</Directory>
DocumentRoot ${s.dir}/page
TypesConfig /dev/null
<IfModule cgid_module>
	ScriptSock ${s.dir}/cgid.sock
</IfModule>
<IfModule fcgid_module>
	FcgidIPCDir ${s.dir}/fcgid
	FcgidProcessTableFile ${s.dir}/fcgid/table
</IfModule>
<VirtualHost 127.0.0.1:${s.http}>
	${include('').map((f) => `Include ${f}`).join('\n')}
</VirtualHost>
<VirtualHost 127.0.0.1:${s.https}>
	SSLEngine on
	SSLCertificateFile ${work}/cert.pem
	SSLCertificateKeyFile ${work}/key.pem
	${include(s.below).map((f) => `Include ${f}`).join('\n')}
</VirtualHost>
`;
}

const SERVERS = {
  nginx: { conf: nginxConf, command: (s, file) => ['nginx', ['-c', file, '-e', `${s.dir}/error.log`]] },
  lighttpd: { conf: lighttpdConf, command: (s, file) => ['lighttpd', ['-D', '-f', file]] },
  apache: { conf: apacheConf, command: (s, file) => ['apache2', ['-f', file, '-D', 'FOREGROUND']] },
};

// ---- a set-up ----

/** Its programs get all from its palaver.conf, not from the environment. */
const BARE = Object.fromEntries(['REDIS', 'PASSWORD_COST', 'SOCKET_MODE', 'SIGN_UP_RATE', 'REQUEST_RATE'].map((n) => [`PALAVER_${n}`, undefined]));

/**
 * Who holds the socket and starts the responder again when it ends: the socket is
 * fd 0, or fd 3 in systemd's way. When we end, however, so does he, and with him
 * the responder.
 */
function hold(s) {
  const run = `${s.dir}/bin/palaver.fcgi --config ${s.dir}/palaver.conf`;
  const one = s.holder === 'systemd' ? `LISTEN_FDS=1 LISTEN_PID=$$ exec ${run} 3<&0 </dev/null` : `exec ${run}`;
  const loop = `trap 'ending=1' TERM; while [ -z "$ending" ]; do setpriv --pdeathsig TERM sh -c '${one}' || echo "exit $?" >>${s.dir}/bad; done`;
  start(`${s.id}-holder`, 'setpriv', ['--pdeathsig', 'KILL', 'spawn-fcgi', '-n', '-b', '1024', '-M', '0666', '-s', `${s.dir}/responder.sock`, '--', '/bin/sh', '-c', loop], BARE);
}

function startBridge(s) {
  start(`${s.id}-bridge`, `${build}/bridge/palaver-bridge`, ['--config', `${s.dir}/palaver.conf`, '--listen', `unix:${s.dir}/bridge.sock`], BARE);
}
/** Whether the bridge has its Redis. */
export const bridgeWell = (s) => new Promise((resolve) => {
  http.get({ socketPath: `${s.dir}/bridge.sock`, path: '/health' }, (r) => {
    r.resume();
    resolve(r.statusCode === 200);
  }).on('error', () => resolve(false));
});
/** Ends the bridge and starts it again; between() is what happens while it is away. */
export async function restartBridge(s, between) {
  await stop(`${s.id}-bridge`);
  await between();
  startBridge(s);
}

/** Starts the set-up n and waits for its sites: what SETUPS has, and dir, below, http, https (ports), sites. */
export async function open(setup, n, ca, below = '/chat') {
  const s = { ...setup, below, cert: `${work}/cert.pem`, id: `s${n}`, dir: `${work}/${n}`, http: await freePort(), https: await freePort() };
  for (const d of ['', '/bin', '/page', '/fcgid']) mkdirSync(s.dir + d);
  for (const d of ['', '/fcgid']) chmodSync(s.dir + d, 0o777);
  writeFileSync(`${s.dir}/page/index.html`, "the site's own page");
  copyFileSync(`${top}/conf/palaver.conf`, `${s.dir}/palaver.conf`);
  appendFileSync(`${s.dir}/palaver.conf`, `
redis = unix:${s.dir}/redis.sock
password_cost = minimal
socket_mode = 0666
trusted = unix 127.0.0.1
sign_in_rate = 3/600
request_rate = 0
user_polls = 1000
# The machine may be slow: what is not in question here must not end by itself.
operation_timeout = 4000
session_lease = 300000
dead_after = 120000
`);
  writeFileSync(`${s.dir}/pids`, '');
  chmodSync(`${s.dir}/pids`, 0o666);
  writeFileSync(`${s.dir}/bin/palaver.fcgi`, `#!/bin/sh
echo $$ >>${s.dir}/pids
ASAN_OPTIONS='detect_leaks=1:log_path=${work}/asan' exec ${work}/palaver.fcgi "$@"
`);
  chmodSync(`${s.dir}/bin/palaver.fcgi`, 0o755);
  start(`${s.id}-redis`, 'redis-server', ['--port', '0', '--unixsocket', `${s.dir}/redis.sock`, '--unixsocketperm', '777', '--save', '', '--dir', s.dir]);
  await until('Redis', () => existsSync(`${s.dir}/redis.sock`));
  startBridge(s);
  if (s.holder === 'fd0' || s.holder === 'systemd') hold(s);
  const server = SERVERS[s.server];
  const file = `${s.dir}/${s.server}.conf`;
  writeFileSync(file, server.conf(s, (path) => s.site.map((name) => snippet(s, name, path))));
  start(`${s.id}-server`, ...server.command(s, file), BARE);
  s.sites = [new Site(s, `http://127.0.0.1:${s.http}`, undefined), new Site(s, `https://127.0.0.1:${s.https}${below}`, ca)];
  for (const site of s.sites) {
    await until(`${s.name}: ${site.url}`, () => site.get('/api/health').then((r) => r.status === 200, () => false)).catch((e) => {
      console.log(readFileSync(`${s.dir}/error.log`, 'utf8').slice(-2000).replace(/^/gm, '# '));
      throw e;
    });
  }
  return s;
}

/** The copies that a web server may read and start, as whom it runs. */
export function prepare() {
  chmodSync(work, 0o777);
  copyFileSync(`${build}/fcgi/palaver.fcgi`, `${work}/palaver.fcgi`);
  chmodSync(`${work}/palaver.fcgi`, 0o755);
  execFileSync('cp', ['-r', `${top}/www`, `${work}/www`]);
  execFileSync('chmod', ['-R', 'a+rX', `${work}/www`]);
}

export const redis = (s, ...args) => execFileSync('redis-cli', ['-s', `${s.dir}/redis.sock`, ...args], { encoding: 'utf8' }).trim();

/** Those responders that run now. */
export function responders(s) {
  return readFileSync(`${s.dir}/pids`, 'utf8').split('\n').filter(Boolean).map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(s.holder === 'none' ? 'palaver.fcgi' : `${s.dir}/palaver.conf`);
    } catch {
      return false;
    }
  });
}

/** How many descriptors they have open. */
export const descriptors = (s) => responders(s).reduce((n, pid) => {
  try {
    return n + readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return n; // it ended just now
  }
}, 0);

/** What Apache's log has of its processes that ended under their connections. */
const fatal = (s) => readFileSync(`${s.dir}/error.log`, 'utf8').split('\n').filter((line) => /\[\w+:(?:emerg|alert|crit)\]|exit signal/.test(line));

/** Ends it all; what did not end well: exit codes of our programs, lines of Apache's log. */
export async function close(s) {
  const bad = [];
  await stop(`${s.id}-server`);
  if (s.server === 'apache') bad.push(...fatal(s));
  if (s.holder === 'fd0' || s.holder === 'systemd') {
    const holder = stop(`${s.id}-holder`);
    responders(s).forEach((pid) => process.kill(pid, 'SIGTERM'));
    await holder;
  }
  await until('the responders to end', () => responders(s).length === 0);
  const code = await stop(`${s.id}-bridge`);
  if (code !== 0) bad.push(`bridge: ${code}`);
  await stop(`${s.id}-redis`);
  if (existsSync(`${s.dir}/bad`)) bad.push(readFileSync(`${s.dir}/bad`, 'utf8'));
  return bad.join(', ');
}

// ---- one who asks ----

/** A site: its URL without a slash at the end. */
export class Site {
  constructor(setup, url, ca) {
    Object.assign(this, { setup, url, ca, origin: new URL(url).origin, secure: Boolean(ca) });
    this.agent = new (this.secure ? https : http).Agent({ keepAlive: true, ca });
  }
  /** A request, not sent yet. from: the address that it comes from. */
  request(method, path, { from, headers, signal } = {}, done) {
    return (this.secure ? https : http).request(this.url + path, { method, agent: from ? undefined : this.agent, ca: this.ca, localAddress: from, headers, signal }, done);
  }
  fetch(method, path, body, options) {
    return new Promise((resolve, reject) => {
      const r = this.request(method, path, options, async (reply) => {
        try {
          const pieces = [];
          for await (const piece of reply) pieces.push(piece);
          resolve({ status: reply.statusCode, headers: reply.headers, text: String(Buffer.concat(pieces)) });
        } catch (e) {
          reject(e);
        }
      });
      // A kept connection may end before a request arrives, as for a browser, which asks again.
      r.on('error', (e) => (r.reusedSocket && e.code === 'ECONNRESET' ? resolve(this.fetch(method, path, body, options)) : reject(e)));
      r.end(body);
    });
  }
  get(path, options) {
    return this.fetch('GET', path, undefined, options);
  }
  /** An operation; its reply with its status. */
  async post(type, message, options = {}) {
    const r = await this.fetch('POST', `/api/${type}`, JSON.stringify(message), { ...options, headers: { 'Content-Type': 'application/json', ...options.headers } });
    try {
      return { status: r.status, ...JSON.parse(r.text) };
    } catch {
      return { status: r.status, text: r.text };
    }
  }
  get ws() {
    return `${this.url.replace('http', 'ws')}/ws`;
  }
  socket({ from, headers } = {}) {
    return Client.open(this.ws, { ca: this.ca, localAddress: from, headers });
  }
}
