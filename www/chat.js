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
const chat = new Palaver({ place });
const me = () => chat.user?.userUUID;
const log = new Log($('log'), $('newer'), {
  me,
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
let readTimer = 0;
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
// messages than these. top: the seq of the newest message that is known of, read:
// of the newest one that was read.
function room(id) {
  if (!rooms.has(id)) rooms.set(id, { messages: [], parts: 0, more: false, loading: false, joined: false, top: 0, read: undefined, draft: load().drafts?.[id] ?? '' });
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
  selectTab(false);
  $('name').value = load().name ?? '';
  $('name').focus();
}

/** Nobody writes before the page knows where to: it would be lost. */
async function enter() {
  await refreshPeople();
  if (!chat.user) return;
  $('entry').hidden = true;
  $('chat').hidden = false;
  $('text').value = room('').draft;
  open(load().room ?? '');
  if (current) join('');
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
    for (const { channel, recipientUUID: id, seq, readSeq } of channels) {
      // In general somebody new has not missed what was said before.
      if (!channel && !room(id).joined) Object.assign(room(id), { top: seq, read: id ? readSeq : readSeq || seq });
    }
  } catch {
    if (chat.user) refreshPeopleSoon(USERS_LATER);
    return;
  }
  $('me').textContent = people.find((p) => p.UUID === me())?.Username ?? load().name;
  showRooms();
}

function refreshPeopleSoon(within = USERS_AGAIN) {
  if (!usersTimer) usersTimer = setTimeout(refreshPeople, Math.random() * within);
}

function roomButton(id, name, online) {
  const item = element('li');
  const unread = unreadOf(rooms.get(id));
  const button = element('button', unread ? 'unread' : '');
  Object.assign(button.dataset, { room: id, name });
  button.ariaCurrent = id === current;
  if (online !== undefined) {
    const dot = element('span', online ? 'dot on' : 'dot');
    dot.role = 'img';
    dot.ariaLabel = online ? 'on line' : 'away';
    button.append(dot);
  }
  button.append(element('span', 'label', name), element('span', 'badge', unread));
  button.addEventListener('click', () => open(id));
  item.append(button);
  return item;
}

function showRooms() {
  clearTimeout(roomsTimer);
  roomsTimer = 0;
  const focus = document.activeElement?.dataset?.room;
  // Oneself first, then those who are on line, each by name.
  const sorted = [...people].sort((a, b) => (b.UUID === me()) - (a.UUID === me()) || b.OnLine - a.OnLine);
  $('general').replaceChildren(roomButton('', 'General'));
  $('people').replaceChildren(...sorted.map((p) => roomButton(p.UUID, p.UUID === me() ? 'Notes to self' : p.Username, p.OnLine)));
  $('online-count').textContent = `${people.filter((p) => p.OnLine).length} on line`;
  $('room-state').textContent = current ? '' : `${here} here`;
  if (focus !== undefined) document.querySelector(`[data-room="${CSS.escape(focus)}"]`)?.focus();
  const unread = [...rooms.values()].reduce((n, r) => n + unreadOf(r), 0);
  document.title = unread ? `(${unread}) Palaver` : 'Palaver';
}

function showRoomsSoon() {
  roomsTimer ||= setTimeout(showRooms, SHOW_WITHIN);
}

const unreadOf = (r) => r?.top - r?.read || 0;

function heard(r, seq) {
  r.read ??= seq - 1;
  r.top = Math.max(r.top, seq);
}

/** The current room is read. */
function read() {
  const r = room(current);
  r.read = r.top;
  // Of general it is told when it is left: not by all who are here of each message.
  if (current) readTimer ||= setTimeout(tellRead, READ_WITHIN);
}

/** Tells the server, for other sessions and later ones, how far the current room is read. */
function tellRead() {
  clearTimeout(readTimer);
  readTimer = 0;
  const { read: seq } = room(current);
  if (seq && chat.state === 'live') chat.request('channelRead', { recipientUUID: current, seq }).catch(() => {});
}

/** Somebody comes to see the current room: what is new there is divided from the rest. */
function see() {
  const r = room(current);
  if (document.hidden || !r.joined) return;
  if (unreadOf(r)) log.divide(r.read);
  read();
}

function join(id) {
  chat.join(id).catch(() => {});
}

function open(id) {
  saveDraft();
  tellRead();
  if (id && !people.some((p) => p.UUID === id)) id = '';
  current = id;
  store({ room: id });
  const r = room(id);
  $('text').value = r.draft;
  $('room-name').textContent = id ? people.find((p) => p.UUID === id).Username : 'General';
  closeMenu();
  grow();
  log.show(r);
  if (r.joined) see();
  else join(id);
  showRooms();
  // Where it would bring up a keyboard on the screen, that is left to a tap.
  if (!matchMedia('(pointer: coarse)').matches) $('text').focus();
}

/**
 * Puts a message in its place: by the part of the history, then by seq; what is
 * not stored yet comes last.
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
    UUID: newUUID(), SenderUUID: me(), Sender: { Username: $('me').textContent },
    Message: text, CreatedAt: new Date().toISOString(),
  });
}

/** What is written and not sent survives the page. */
function saveDraft() {
  const draft = $('text').value;
  room(current).draft = draft;
  store({ drafts: { ...load().drafts, [current]: draft || undefined } });
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
  const r = room(id);
  r.joined = true;
  if (!again) {
    r.more = more;
    r.top = messages.at(-1)?.seq ?? 0;
    r.read = Math.min(r.read ?? r.top, r.top);
  }
  for (const message of messages) take(id, message);
  if (id === current) see();
  showRoomsSoon();
});
on('gap', ({ id }) => {
  const r = room(id);
  Object.assign(r, { parts: r.parts + 1, more: true, top: 0, read: undefined }); // seq may begin anew
  take(id, { UUID: `gap ${r.parts}`, gap: true, seq: 0 });
});
on('message', (message) => {
  const id = chat.channelOf(message);
  const r = room(id);
  heard(r, message.seq);
  take(id, { ...message, state: 'sent' }, true);
  if (id === current && !document.hidden) return read();
  if (message.SenderUUID === me()) r.read = r.top;
  showRoomsSoon();
});
on('sys', ({ type, after, SenderUUID, seq }) => {
  if (type === 'channelMessage' && SenderUUID !== me()) {
    heard(room(SenderUUID), seq);
    if (people.some((p) => p.UUID === SenderUUID)) showRooms();
    else refreshPeopleSoon();
  } else if (type !== 'channelMessage') refreshPeopleSoon(after * 1000 || undefined);
});
on('channelRead', ({ id, seq }) => {
  const r = room(id);
  heard(r, seq);
  r.read = Math.max(r.read, seq);
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
  if ($('menu').ariaExpanded === String(open)) return;
  $('rooms').classList.toggle('open', open);
  $('menu').ariaExpanded = open;
  (open ? document.querySelector('[aria-current="true"]') : $('menu')).focus();
}
const closeMenu = () => showMenu(false);

when('menu', 'click', () => showMenu($('menu').ariaExpanded !== 'true'));
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
  if (document.hidden) {
    saveDraft();
    tellRead();
  } else see();
  showRoomsSoon();
});

const { key } = load();
if (key) chat.resume(key).then(enter, () => {});
else showEntry();
chat.connect();
