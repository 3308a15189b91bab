// SPDX-License-Identifier: MIT
// What asks a site by curl: the curl suite, and palaver-doctor.
import { spawn } from 'node:child_process';
import { ok, until, top } from '../lib.mjs';
import { redis } from '../lib-hosting.mjs';
import { note } from './table.mjs';

/** Runs a script that asks the site by curl; its exit code and what it printed. */
async function script(site, ...command) {
  const out = [];
  const child = spawn('sh', command, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...(site.ca ? { CURL_CA_BUNDLE: site.setup.cert } : {}) } });
  child.stdout.on('data', (d) => out.push(d));
  child.stderr.on('data', (d) => out.push(d));
  const code = await new Promise((done) => child.on('close', done));
  return { code, text: out.join('') };
}
export async function curl(site) {
  redis(site.setup, 'flushall');
  await until('it to be well', () => site.get('/api/health').then((r) => r.status === 200));
  const { code, text } = await script(site, `${top}/tests/curl.sh`, site.url, `${site.setup.dir}/redis.sock`);
  ok(code === 0 && !/^not ok/m.test(text), `${site.name}: the curl suite`, text.replace(/^ok .*\n/gm, '').replace(/\n/g, '\n# '));
  note(site, 'curl', (text.match(/^ok /gm) ?? []).length);
}

export async function doctor(site) {
  const { code, text } = await script(site, `${top}/conf/palaver-doctor`, '--wait', '2', `${site.url}/`);
  ok(code === 0 && /^all is well$/m.test(text), `${site.name}: palaver-doctor finds nothing`, text.replace(/\n/g, '\n# '));
}
