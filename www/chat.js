// SPDX-License-Identifier: MIT
/** The page on top of the library: rooms, people, one log, one composer. */
import { Palaver, newUUID } from './palaver.js';
import { Log, element } from './log.js';

const STORE = `palaver:${location.pathname}`;
const USERS_AGAIN = 1500; // ms to gather news before people are asked for
const USERS_LATER = 20000; // ms, when that failed
const READ_WITHIN = 1000; // ms to gather what is read
const SHOW_WITHIN = 100; // ms to gather what changes the list of rooms
const PAGE = 50; // older messages loaded at a time
const KEEP = 1000; // messages of a room, but where older ones are read
const $ = (id) => document.getElementById(id);
const when = (id, type, does) => $(id).addEventListener(type, does);

// Below it are the WebSocket and the requests.
const place = new URL(document.querySelector('meta[name=palaver]').content, document.baseURI);
const chat = new Palaver({ url: new URL('ws', place).href.replace('http', 'ws'), base: new URL('api/', place).href });
const log = new Log($('log'), $('newer'), {
  get me() {
    return chat.user?.userUUID;
  },
  retry: (message) => transmit(current, message),
  remove: (message) => remove(current, message),
  older: () => loadOlder(current),
});
const rooms = new Map(); // '' or a user's UUID -> what room() makes
let people = []; // as users gives them, and those that one has talked with
let here = 0; // how many of them are in general
let current = '';
let signingUp = false;
let usersTimer = 0;
let roomsTimer = 0;
let countdown = 0;
let tried = false; // to connect, in vain
let foreign = place.origin !== location.origin; // until it lets this page in

// Where storage is blocked or holds something else, the page forgets.
function load() {
  try {
    return JSON.parse(localStorage.getItem(STORE)) ?? {};
  } catch {
    return {};
  }
}
function store(change) {
  try {
    localStorage.setItem(STORE, JSON.stringify({ ...load(), ...change }));
  } catch { /* it is blocked */ }
}

// parts: of the history, between gaps. more: whether the last one has older
// messages than these.
function room(id) {
  if (!rooms.has(id)) rooms.set(id, { messages: [], parts: 0, more: false, loading: false, joined: false, unread: 0, reading: 0, draft: load().drafts?.[id] ?? '' });
  return rooms.get(id);
}

// ---- signing in ----

const FIELD = {
  username: 'Choose a name of 1 to 64 characters, with no blanks around it.',
  password: 'A password has at least 8 characters.',
  message: 'it is too long, or holds what is not allowed',
};

const LACK = `its "origins" lack ${location.origin}`;

const why = ({ code, payload, message }) => ({
  0: 'The connection was lost. Try again.',
  3: FIELD[payload],
  5: 'Wrong name or password.',
  6: 'That name is taken.',
  8: FIELD.message,
  9: `Too many tries: wait ${payload} s.`,
  10: payload === 'origin' ? `The service refuses this page: ${LACK}.` : $('chat').hidden ? 'Signing up is closed.' : 'it is not allowed',
  20: 'The service is away. Try again soon.',
  21: 'The service is busy. Try again soon.',
}[code] ?? message);

function selectTab(up) {
  signingUp = up;
  $('tab-in').ariaPressed = !up;
  $('tab-up').ariaPressed = up;
  $('submit').textContent = up ? 'Sign up' : 'Sign in';
  $('password').autocomplete = up ? 'new-password' : 'current-password';
  $('form-hint').textContent = up ? 'At least 8 characters for the password.' : 'A free name is signed up at once.';
  complain('');
}

/** Says what is wrong, and at which field. */
function complain(text, field = '') {
  $('form-error').textContent = text;
  for (const id of ['name', 'password']) $(id).ariaInvalid = id === field;
  if (field) $(field).focus();
}

async function submit(event) {
  event.preventDefault();
  $('submit').disabled = true;
  complain('');
  const name = $('name').value.trim();
  try {
    store({ name });
    await chat[signingUp ? 'signUp' : 'signIn'](name, $('password').value);
    $('password').value = '';
    await enter();
  } catch (error) {
    complain(why(error), error.payload === 'username' || error.code === 6 ? 'name' : 'password');
  }
  $('submit').disabled = false;
}

function showEntry() {
  $('chat').hidden = true;
  $('entry').hidden = false;
  $('name').value = load().name ?? '';
  $('name').focus();
}

/** Nobody writes before the page knows where to: it would be lost. */
async function enter() {
  await refreshPeople();
  if (!chat.user) return;
  $('entry').hidden = true;
  $('chat').hidden = false;
  join('');
  $('text').value = room('').draft;
  open(load().room ?? '');
}

function leaveAll() {
  rooms.clear();
  people = [];
  current = '';
  $('text').value = '';
  store({ key: undefined, room: undefined, drafts: undefined });
  showEntry();
}

// ---- rooms and people ----

async function refreshPeople() {
  clearTimeout(usersTimer);
  usersTimer = 0;
  try {
    const { users } = await chat.users({ limit: 1000 });
    const { channels } = await chat.request('channels', { limit: 200 });
    here = (await chat.users({ recipientUUID: '', limit: 0 })).total;
    people = [...users, ...channels.map((c) => c.User).filter((p) => p && !users.some((u) => u.UUID === p.UUID))];
    for (const { User, recipientUUID: id, seq, readSeq } of channels) if (User && !room(id).joined) room(id).unread = seq - readSeq;
  } catch {
    if (chat.user) refreshPeopleSoon(USERS_LATER);
    return;
  }
  const name = people.find((p) => p.UUID === chat.user?.userUUID)?.Username;
  if (name) store({ name });
  $('me').textContent = load().name ?? '';
  showRooms();
}

function refreshPeopleSoon(within = USERS_AGAIN) {
  if (!usersTimer) usersTimer = setTimeout(refreshPeople, Math.random() * within);
}

function roomButton(id, name, online) {
  const item = element('li');
  const unread = rooms.get(id)?.unread;
  const button = element('button', unread ? 'unread' : '');
  Object.assign(button.dataset, { testid: 'room', room: id, name });
  button.ariaCurrent = id === current;
  if (online !== undefined) {
    const dot = element('span', online ? 'dot on' : 'dot');
    dot.role = 'img';
    dot.ariaLabel = online ? 'on line' : 'away';
    button.append(dot);
  }
  button.append(element('span', 'label', name), element('span', 'badge', unread ? String(unread) : ''));
  button.addEventListener('click', () => open(id));
  item.append(button);
  return item;
}

function showRooms() {
  clearTimeout(roomsTimer);
  roomsTimer = 0;
  const me = chat.user?.userUUID;
  const focus = document.activeElement?.dataset?.room;
  // Oneself first, then those who are on line, each by name.
  const sorted = [...people].sort((a, b) => (b.UUID === me) - (a.UUID === me) || b.OnLine - a.OnLine);
  $('general').replaceChildren(roomButton('', 'General'));
  $('people').replaceChildren(...sorted.map((p) => roomButton(p.UUID, p.UUID === me ? 'Notes to self' : p.Username, p.OnLine)));
  $('online-count').textContent = `${people.filter((p) => p.OnLine).length} on line`;
  $('room-state').textContent = current ? '' : `${here} here`;
  if (focus !== undefined) document.querySelector(`[data-room="${CSS.escape(focus)}"]`)?.focus();
  const unread = [...rooms.values()].reduce((n, r) => n + r.unread, 0);
  document.title = unread ? `(${unread}) Palaver` : 'Palaver';
}

function showRoomsSoon() {
  roomsTimer ||= setTimeout(showRooms, SHOW_WITHIN);
}

/** The current room is read; of a private one the server is told. */
function read() {
  const id = current;
  const r = room(id);
  r.unread = 0;
  if (!id) return; // all who are here would tell it of each message
  r.reading ||= setTimeout(() => {
    r.reading = 0;
    const seq = r.messages.findLast((m) => m.seq)?.seq;
    if (seq && rooms.get(id) === r) chat.request('channelRead', { recipientUUID: id, seq }).catch(() => {});
  }, READ_WITHIN);
}

function join(id) {
  room(id).joined = true;
  chat.join(id).catch(() => {
    room(id).joined = false;
  });
}

function open(id) {
  room(current).draft = $('text').value;
  if (id && !people.some((p) => p.UUID === id)) id = '';
  current = id;
  store({ room: id });
  const r = room(id);
  read();
  $('text').value = r.draft;
  $('room-name').textContent = id ? people.find((p) => p.UUID === id).Username : 'General';
  closeMenu();
  grow();
  showRooms();
  log.show(r);
  if (!r.joined) join(id);
  // Where it would bring up a keyboard on the screen, that is left to a tap.
  if (!matchMedia('(pointer: coarse)').matches) $('text').focus();
}

/**
 * Puts a message in its place: by the part of the history, then by seq; what is
 * not stored yet comes last. Tells whether it is new.
 */
function take(id, message, fresh) {
  const { messages: all, parts } = room(id);
  const old = all.findLastIndex((m) => m.UUID === message.UUID && m.SenderUUID === message.SenderUUID);
  if (old >= 0) message = Object.assign(all.splice(old, 1)[0], message);
  message.part = parts;
  const seq = (m) => m.seq ?? Infinity;
  let n = all.length;
  while (n && seq(all[n - 1]) > seq(message) && (all[n - 1].part === parts || !all[n - 1].seq)) n -= 1;
  all.splice(n, 0, message);
  if (all.length > KEEP && !(id === current && log.reading)) {
    room(id).more = true;
    all.splice(0, all.length - KEEP);
  }
  if (id === current) log.change(fresh && old < 0 ? message : null);
  return old < 0;
}

function remove(id, message) {
  const all = room(id).messages;
  all.splice(all.indexOf(message), 1);
  if (id === current) log.change();
}

/** Loads what comes before the oldest message since the last gap. */
async function loadOlder(id) {
  const r = room(id);
  const { messages, parts, loading } = r;
  const oldest = messages.find((m) => m.seq && m.part === parts);
  if (loading || !oldest) return;
  r.loading = true;
  try {
    const { messages: older, more } = await chat.request('channelMessages', { recipientUUID: id, before: oldest.seq, limit: PAGE });
    if (r.parts === parts && rooms.get(id) === r) {
      r.more = more;
      if (id === current) log.grown();
      for (const message of older) take(id, message);
    }
  } catch { /* it can be asked for again */ }
  r.loading = false;
}

// ---- sending ----

async function transmit(id, message) {
  const { messages } = room(id);
  message.state = 'sending';
  take(id, message, true);
  try {
    const { seq } = await chat.send(id, message.Message, message.UUID);
    Object.assign(message, { seq, state: 'sent' });
  } catch (error) {
    Object.assign(message, { state: 'failed', why: why(error) });
  }
  if (messages.includes(message)) take(id, message);
}

function send(event) {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!text) return;
  $('text').value = '';
  grow();
  transmit(current, {
    UUID: newUUID(), SenderUUID: chat.user?.userUUID, Sender: { Username: $('me').textContent },
    Message: text, CreatedAt: new Date().toISOString(),
  });
}

/** What is written and not sent survives the page. */
function saveDrafts() {
  room(current).draft = $('text').value;
  store({ drafts: { ...load().drafts, ...Object.fromEntries(Array.from(rooms, ([id, { draft }]) => [id, draft || undefined])) } });
}

function grow() {
  $('text').style.height = 'auto';
  $('text').style.height = `${$('text').scrollHeight + 2}px`;
}

// ---- what the library tells ----

const on = (type, does) => chat.addEventListener(type, ({ detail }) => does(detail));

on('authorized', ({ accessKey }) => {
  store({ key: accessKey });
  refreshPeopleSoon();
});
on('signedOut', leaveAll);
on('joined', ({ id, messages, more, again }) => {
  if (!again) room(id).more = more;
  for (const message of messages) take(id, message);
  if (id === current && !document.hidden) read();
});
on('gap', ({ id }) => {
  const part = room(id).parts += 1;
  room(id).more = true;
  take(id, { UUID: `gap ${part}`, gap: true, seq: 0 });
});
on('message', (message) => {
  const id = chat.channelOf(message);
  const fresh = take(id, { ...message, state: 'sent' }, true);
  if (id === current && !document.hidden) return read();
  if (fresh && message.SenderUUID !== chat.user.userUUID) room(id).unread += 1;
  showRoomsSoon();
});
on('sys', ({ type, after, SenderUUID }) => {
  if (type === 'channelMessage' && SenderUUID !== chat.user.userUUID) {
    room(SenderUUID).unread += 1;
    if (people.some((p) => p.UUID === SenderUUID)) showRooms();
    else refreshPeopleSoon();
  } else if (type !== 'channelMessage') refreshPeopleSoon(after * 1000 || USERS_AGAIN);
});
on('channelRead', ({ id, seq }) => {
  const r = rooms.get(id);
  if (r) r.unread = r.messages.filter((m) => m.seq > seq && m.SenderUUID !== chat.user.userUUID).length;
  showRoomsSoon();
});
on('leave', () => refreshPeopleSoon());

const BY = { websocket: 'Connected by WebSocket', poll: 'Connected by long-poll' };
// Tries in a row are told once, and the seconds to the next are not read out.
on('state', ({ state, wait, offline, transport }) => {
  const at = Date.now() + wait;
  const waits = state === 'waiting';
  tried = waits || (tried && state !== 'live');
  foreign &&= state !== 'live';
  clearInterval(countdown);
  const tell = () => {
    $('banner-wait').textContent = waits ? ` in ${Math.max(1, Math.ceil((at - Date.now()) / 1000))} s` : '';
  };
  tell();
  if (waits) countdown = setInterval(tell, 1000);
  // A browser does not tell a page which of them it is.
  const cause = foreign ? `: ${place.host} is away, or ${LACK}` : '';
  const text = BY[transport] ?? (offline ? 'Offline. Trying again' : tried ? `Not connected${cause}. Trying again` : state === 'connecting' ? 'Connecting…' : '');
  if ($('banner-text').textContent !== text) $('banner-text').textContent = text;
  $('banner').dataset.state = tried ? 'waiting' : state;
  $('retry').hidden = !tried;
});

// ---- the page ----

function showMenu(open) {
  $('rooms').classList.toggle('open', open);
  $('menu').ariaExpanded = open;
}
function closeMenu() {
  if (!$('rooms').classList.contains('open')) return;
  showMenu(false);
  $('menu').focus();
}

when('menu', 'click', () => {
  if ($('rooms').classList.contains('open')) return closeMenu();
  showMenu(true);
  document.querySelector('[aria-current="true"]')?.focus();
});
document.addEventListener('keydown', ({ key }) => {
  if (key === 'Escape') closeMenu();
});
when('log', 'click', closeMenu);
when('tab-in', 'click', () => selectTab(false));
when('tab-up', 'click', () => selectTab(true));
when('sign', 'submit', submit);
when('sign-out', 'click', async () => {
  if (!await chat.signOut()) $('form-hint').textContent = 'Without a connection you are signed out here only: the key was not ended.';
});
when('retry', 'click', () => chat.retry());
when('compose', 'submit', send);
when('text', 'input', grow);
when('text', 'keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) send(event);
});
document.addEventListener('visibilitychange', () => {
  if ($('chat').hidden) return;
  if (document.hidden) saveDrafts();
  else read();
  showRoomsSoon();
});

const { key } = load();
if (key) chat.resume(key).then(enter, () => {});
else showEntry();
chat.connect();
