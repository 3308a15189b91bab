// SPDX-License-Identifier: MIT
// One run of the checker: bridges and responders of its own behind nginx, on
// the Redis that there is, members who do what the plan says, and what the
// judge has to say of it all.
import http from 'node:http';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { start, startNginx, startRedis, redis, stop, until, post, work } from './lib.mjs';
import { Address, copied, parted, redisAt, cli } from './lib-failover.mjs';
import { fates } from './lib-judge-failover.mjs';
import { judge } from './lib-judge.mjs';
import { LOST, plan as planOf, random } from './lib-plan.mjs';
import { pause } from './lib-clients.mjs';
import { Member, channelOf } from './lib-member.mjs';

const build = process.env.PALAVER_BUILD;
export const BRIDGE = `${build}/bridge/palaver-bridge`;
export const RESPONDER = `${build}/fcgi/palaver.fcgi`;
/** What a Redis needs to be there again, whole, after it was killed. */
export const KEEPS = ['--appendonly', 'yes', '--appendfsync', 'always'];
const SETTINGS = {
  PALAVER_MESSAGE_RATE: '0', PALAVER_SIGN_IN_RATE: '0', PALAVER_ADDRESS_CONNECTIONS: '0', PALAVER_USER_POLLS: '1000', PALAVER_NOTICE_RATE: '0',
  PALAVER_PRESENCE_LEASE: '5000', PALAVER_PRESENCE_GRACE: '1000', PALAVER_SESSION_LEASE: '5000',
};
let runs = 0;

/** Whether fn came true within ms. */
const comes = (fn, ms) => until('', fn, ms).then(() => true, () => false);

const healthy = (socketPath) => new Promise((resolve) => {
  http.get({ socketPath, path: '/health' }, (r) => {
    r.resume();
    resolve(r.statusCode === 200);
  }).on('error', () => resolve(false));
});

/** Programs that can be ended and started again. */
class Servers {
  befell = {};     // outage -> how often
  failover = null; // what was lost by it: see lib-judge.mjs

  constructor(bridges, responders, env) {
    this.prefix = `run${runs += 1}`;
    this.env = { ...SETTINGS, PALAVER_PREFIX: `${this.prefix}:`, ...env };
    this.programs = new Map([
      ...bridges.map((program, n) => [`${this.prefix}-bridge${n}`, program]),
      ...responders.map((program, n) => [`${this.prefix}-responder${n}`, program]),
    ]);
    this.bridges = [...this.programs.keys()].slice(0, bridges.length);
    this.responders = [...this.programs.keys()].slice(bridges.length);
  }
  path(name) {
    return `${work}/${name}.sock`;
  }
  async begin(name) {
    start(name, this.programs.get(name), ['--listen', `unix:${this.path(name)}`], this.env);
    await until(name, () => (this.bridges.includes(name) ? healthy(this.path(name)) : existsSync(this.path(name))));
  }
  /** failsOver: on a Redis of their own, of which there is a copy. */
  async beginAll(failsOver) {
    if (failsOver) {
      this.first = await redisAt(`${this.prefix}-first`);
      this.copy = await redisAt(`${this.prefix}-copy`, this.first.port);
      this.address = await Address.of(this.first);
      this.env.PALAVER_REDIS = this.address.url;
    }
    await Promise.all([...this.programs.keys()].map((name) => this.begin(name)));
    this.url = await startNginx(this.responders, this.bridges, `${this.prefix}-nginx`);
  }
  /** Ends them; the exit codes that are not 0. */
  async endAll() {
    const codes = await Promise.all([...this.programs.keys()].map(async (name) => ({ name, code: await stop(name) })));
    await stop(`${this.prefix}-nginx`);
    this.address?.close();
    if (this.address) await stop(this.address.target.name);
    return codes.filter((c) => c.code !== 0).map((c) => `${c.name} ended with ${c.code}`);
  }
  /** What Redis answers. */
  async ask(...args) {
    return this.address ? cli(this.address.target.port, ...args) : redis(...args);
  }
  /** The last number in a log, and its epoch, as that Redis has it. */
  async #last(at, scope) {
    const [seq, epoch] = (await cli(at.port, 'hmget', `${this.prefix}:{${scope}}:m`, 's', 'e')).split('\n');
    return { seq: Number(seq), epoch };
  }
  /** The copy parts, what comes in between is lost to it, then it takes over. */
  async #failOver({ channels, clock, meanwhile }) {
    await copied(this.first, this.copy);
    await parted(this.copy);
    await meanwhile();
    const kept = {};
    for (const name of channels) kept[name] = (await this.#last(this.copy, scopeOf(name))).seq;
    await this.address.promote(this.copy);
    this.failover = { kept, at: clock() };
    await until('the bridges', async () => (await Promise.all(this.bridges.map((b) => healthy(this.path(b))))).every(Boolean));
  }
  /** In which epoch each channel is after the failover. */
  async epochs() {
    const { kept } = this.failover;
    this.failover.epochs = {};
    for (const name of Object.keys(kept)) this.failover.epochs[name] = (await this.#last(this.copy, scopeOf(name))).epoch;
  }
  /** What may befall them: one of a plan's outages. */
  async befall({ what, which }, run) {
    const pick = (list) => list[which % list.length];
    if (what === 'failover') {
      await this.#failOver(run);
    } else if (what === 'pub/sub cut') {
      redis('client', 'kill', 'type', 'pubsub');
    } else if (what === 'UUIDs forgotten') {
      redis('eval', "for _, k in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', k) end", '0', `${this.prefix}:*}:d:*`);
    } else if (what === 'Redis killed') {
      await stop('redis', 'SIGKILL');
      await startRedis(...KEEPS);
    } else if (what === 'bridge killed' || what === 'responder killed') {
      const name = pick(what === 'bridge killed' ? this.bridges : this.responders);
      await stop(name, 'SIGKILL');
      await this.begin(name);
    } else if (what === 'bridge stopped' || what === 'responder stopped') {
      const name = pick(what === 'bridge stopped' ? this.bridges : this.responders);
      await stop(name);
      await this.begin(name);
    } else {
      throw new Error(`no such outage: ${what}`);
    }
    this.befell[what] = (this.befell[what] ?? 0) + 1;
  }
}

/** All messages of a channel, as they are stored. */
async function history(url, accessKey, payload) {
  const all = [];
  let before;
  for (;;) {
    const r = await post(url, 'channelMessages', { accessKey, channelMessages: { ...payload, before, limit: 100 } });
    const { messages, more } = r.channelMessages;
    all.unshift(...messages);
    if (!more) return all.map((m) => ({ seq: m.seq, uuid: m.UUID, sender: m.SenderUUID, text: m.Message, channel: channelOf(m) }));
    before = messages[0].seq;
  }
}

async function signUsers(url, prefix, n) {
  return Promise.all(Array.from({ length: n }, async (_, k) => {
    const { authorized } = await post(url, 'signIn', { signIn: { username: `${prefix} user ${k}`, password: 'secret123' } });
    return { uuid: authorized.userUUID, key: authorized.accessKey };
  }));
}

function channelsOf(member, users) {
  return member.channels.map((c) => ('with' in c
    ? { name: [users[member.user].uuid, users[c.with].uuid].sort().join(' '), payload: { recipientUUID: users[c.with].uuid } }
    : { name: c.channel ?? '', payload: c }));
}

/** Who is where in the end, by what the members did: '*' on line. */
function truthOf(members) {
  const there = members.filter((m) => !m.isOver);
  const truth = { '*': new Set(there.map((m) => m.uuid)) };
  for (const name of new Set(members.flatMap((m) => m.channels.map((c) => c.name)))) {
    truth[name] = new Set(there.filter((m) => m.channels.some((c) => c.name === name && c.wants)).map((m) => m.uuid));
  }
  return truth;
}

/** What others are told otherwise when they ask who is there. */
async function untrue(url, accessKey, channels, truth) {
  const out = [];
  for (const [name, payload] of [['*', { online: true }], ...channels]) {
    const r = await post(url, 'users', { accessKey, users: { ...payload, limit: 1000 } });
    const got = r.users?.users.map((u) => u.UUID).sort().join();
    const wanted = [...truth[name]].sort().join();
    if (got !== wanted) out.push({ what: 'presence', text: `${name || 'general'}: ${got} instead of ${wanted}` });
  }
  return out;
}

/** Carries the plan out, each member at its own times. */
async function carryOut(plan, members, servers, run) {
  const began = Date.now();
  const till = (ms) => pause(Math.max(0, began + ms - Date.now()));
  const lives = [];
  const does = async (member, { begins, steps }) => {
    await till(begins);
    lives.push(member.live());
    for (const step of steps) {
      await till(step.at);
      if (step.messages) for (const m of step.messages) member.send(m);
      if (step.what === 'repeat') member.repeat(step.of);
      if (step.what === 'stall') member.stall(step.still);
      if (step.what === 'hasty') await pause(step.after);
      if (step.what === 'cut' || step.what === 'hasty') member.cut(step);
      if (step.what === 'miss') member.miss(step);
      if (step.what === 'outlast') member.outlast(step);
      if (step.what === 'switch') member.switch(step);
      if (step.what === 'leave') member.leave(step);
      if (step.what === 'join') member.join(step);
    }
  };
  const outages = async () => {
    for (const o of plan.outages) {
      await till(o.at);
      await servers.befall(o, run);
    }
  };
  await Promise.all([outages(), ...members.map((m, n) => does(m, plan.members[n]))]);
  return lives;
}

/** Joins what some had left, and until there are some messages more. */
async function meanwhile(members, run) {
  const enough = run.stored() + LOST;
  const joins = members.flatMap((m) => m.channels.map((c, channel) => ({ m, c, channel })).filter(({ c }) => !c.wants));
  for (const { m, channel } of joins) m.join({ channel });
  await until('the joins that are to be lost', () => joins.every(({ c }) => c.in), 40000);
  await until('the messages that are to be lost', () => run.stored() >= enough, 40000);
}

/** The scope of a channel, or of everybody. */
const scopeOf = (name) => (name === '*' ? 'sys' : name.includes(' ') ? `p:${name.replace(' ', ':')}` : name ? `c:${name}` : 'g');
const sum = (members, of) => members.reduce((n, m) => n + of(m.counts), 0);

/**
 * @param {{bridges?: string[], responders?: string[], env?: object,
 *   lossy?: boolean, settle?: number}} options and those of the plan: programs
 *   to run; lossy: the plan loses data; settle: ms that all have at the end.
 * @returns {Promise<{faults: {what: string, text: string}[], counts: object}>}
 */
export async function check({ bridges = [BRIDGE, BRIDGE], responders = Array(4).fill(RESPONDER), env, lossy, settle = 20000, ...options }) {
  const plan = planOf(options);
  const servers = new Servers(bridges, responders, env);
  await servers.beginAll(plan.outages.some((o) => o.what === 'failover'));
  const { url } = servers;
  let ticks = 0;
  const run = {
    url, sends: [], clock: () => (ticks += 1),
    stored: () => run.sends.filter((s) => s.channel === '' && s.answers.length).length, // of general
    failedOver: () => servers.failover !== null,
    meanwhile: () => meanwhile(members, run),
    socketUrls: [`${url.replace('http', 'ws')}/ws`, ...servers.bridges.map((b) => `ws+unix://${servers.path(b)}:/ws`)],
  };
  const users = await signUsers(url, servers.prefix, plan.users);
  const members = plan.members.map((m) => new Member(m, users[m.user], channelsOf(m, users), run, random(plan.seed, `${m.name} by chance`)));
  run.channels = new Set(members.flatMap((m) => m.channels.map((c) => c.name)));
  const lives = await carryOut(plan, members, servers, run);

  // Behind the last message of each channel nothing of before can come.
  const sender = new Map(members.flatMap((m) => m.channels.map((c, n) => [c.name, { m, n }])));
  const quiet = () => comes(() => members.every((m) => m.quiet), settle);
  await quiet();
  for (const { m, n } of sender.values()) m.send({ channel: n, uuid: randomUUID(), text: 'the end' });
  await quiet();
  const faults = members.filter((m) => !m.quiet).map((m) => ({ what: 'no answer', text: `${m.name} waits for one` }));
  const logs = {};
  for (const [name, { m, n }] of sender) logs[name] = await history(url, m.key, m.channels[n].payload);
  const all = (m) => m.channels.every((c) => !c.wants || (c.in && m.last.get(c.name) >= (logs[c.name].at(-1)?.seq ?? 0)));
  await comes(() => members.every(all), settle);

  // Then some go, and the others learn of it.
  members.forEach((m, n) => plan.members[n].goes && m.over());
  const staying = members.filter((m) => !m.isOver);
  const truth = truthOf(members);
  const named = [...sender].filter(([name]) => !name.includes(' ')).map(([name]) => [name, { channel: name }]);
  let wrong = [];
  await comes(async () => (wrong = await untrue(url, staying[0].key, named, truth)).length === 0, Math.max(settle, 40000));
  faults.push(...wrong);
  const ends = new Map();
  for (const notices of Object.keys(truth)) ends.set(notices, Number(await servers.ask('hget', `${servers.prefix}:{${scopeOf(notices)}}${notices === '*' ? '' : '~'}:m`, 's')));
  await comes(() => staying.every((m) => [...m.noticed].every(([notices, seq]) => m.isOut(notices) || seq >= ends.get(notices))), settle);
  for (const m of staying) m.over();
  await Promise.all(lives);
  if (servers.failover) await servers.epochs();
  const judged = members.map((m) => ({
    name: m.name, uuid: m.uuid, records: m.records, over: !staying.includes(m), channels: m.channels.filter((c) => c.wants).map((c) => c.name),
  }));
  faults.push(...judge({
    members: judged, sends: run.sends, logs, lossy, failover: servers.failover, truth,
  }));
  for (const text of [...members.flatMap((m) => m.complaints), ...await servers.endAll()]) faults.push({ what: 'complaint', text });
  return {
    faults,
    counts: {
      sent: run.sends.length,
      repeats: sum(members, (c) => c.repeats),
      messages: { ws: sum(members, (c) => c.messages.ws), poll: sum(members, (c) => c.messages.poll) },
      resumes: { ws: sum(members, (c) => c.resumes.ws), poll: sum(members, (c) => c.resumes.poll) },
      switches: sum(members, (c) => c.switches),
      pages: sum(members, (c) => c.pages), // resumes of more than one page
      gaps: sum(members, (c) => c.gaps),   // that were told of
      leaves: sum(members, (c) => c.leaves),
      rejoins: sum(members, (c) => c.rejoins),
      notices: sum(members, (c) => c.notices),
      ended: sum(members, (c) => c.ended), // sessions, while they were polled
      outages: servers.befell,
      ...(servers.failover ? fates(judged, servers.failover) : {}),
    },
  };
}
