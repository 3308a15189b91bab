// SPDX-License-Identifier: MIT
/** The page on top of the library: rooms, people, one log, one composer. */
import { Palaver, newUUID } from './palaver.js';
import { Log, element } from './log.js';

const STORE = `palaver:${location.pathname}`;
const USERS_AGAIN = 1500; // ms to gather news before people are asked for
const KEEP = 1000; // messages of a room
const $ = (id) => document.getElementById(id);

const chat = new Palaver();
const log = new Log($('log'), $('newer'), {
  get me() {
    return chat.user?.userUUID;
  },
  retry: (message) => transmit(current, message),
  remove: (message) => remove(current, message),
});
const rooms = new Map(); // '' or a user's UUID -> what room() makes
let people = []; // as users gives them
let current = '';
let signingUp = false;
let usersTimer = 0;
let countdown = 0;
let tried = false; // to connect, in vain

// Where storage is blocked or holds something else, the page forgets.
function load() {
  try {
    return JSON.parse(localStorage.getItem(STORE)) ?? {};
  } catch {
    return {};
  }
}
function keep(what) {
  try {
    localStorage.setItem(STORE, JSON.stringify(what));
  } catch { /* it is blocked */ }
}
const store = (change) => keep({ ...load(), ...change });

function room(id) {
  if (!rooms.has(id)) rooms.set(id, { name: '', messages: [], parts: 0, joined: false, unread: 0, draft: '', here: 0 });
  return rooms.get(id);
}

// ---- signing in ----

const FIELD = {
  username: 'Choose a name of 1 to 64 characters, with no blanks around it.',
  password: 'A password has at least 8 characters.',
};

function why(error) {
  switch (error.code) {
    case 0: return 'The connection was lost. Try again.';
    case 3: return FIELD[error.payload] ?? error.message;
    case 5: return 'Wrong name or password.';
    case 6: return 'That name is taken.';
    case 9: return `Too many tries: wait ${error.payload} s.`;
    case 10: return 'Signing up is closed.';
    case 20: case 21: return 'The service is busy or away. Try again soon.';
    default: return error.message;
  }
}

function selectTab(up) {
  signingUp = up;
  $('tab-in').setAttribute('aria-pressed', String(!up));
  $('tab-up').setAttribute('aria-pressed', String(up));
  $('submit').textContent = up ? 'Sign up' : 'Sign in';
  $('password').autocomplete = up ? 'new-password' : 'current-password';
  $('form-hint').textContent = up ? 'At least 8 characters for the password.' : 'A free name is signed up at once.';
  complain('');
}

/** Says what is wrong, and at which field. */
function complain(text, field = '') {
  $('form-error').textContent = text;
  for (const id of ['name', 'password']) {
    if (id === field) $(id).setAttribute('aria-invalid', 'true');
    else $(id).removeAttribute('aria-invalid');
  }
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

async function enter() {
  $('entry').hidden = true;
  $('chat').hidden = false;
  $('me').textContent = load().name ?? '';
  room('').name = 'General';
  await refreshPeople();
  chat.join('').catch(() => {});
  await open(load().room ?? '');
}

function leaveAll() {
  rooms.clear();
  people = [];
  current = '';
  keep({ name: load().name });
  showEntry();
}

// ---- rooms and people ----

async function refreshPeople() {
  clearTimeout(usersTimer);
  usersTimer = 0;
  try {
    people = (await chat.users({ limit: 1000 })).users;
    room('').here = (await chat.users({ recipientUUID: '', limit: 0 })).total;
  } catch {
    return; // asked again after the reconnect
  }
  showHere();
  for (const person of people) {
    if (person.UUID === chat.user?.userUUID) {
      $('me').textContent = person.Username;
      store({ name: person.Username });
    }
    if (rooms.has(person.UUID)) room(person.UUID).name = person.Username;
  }
  showRooms();
}

function refreshPeopleSoon(within = USERS_AGAIN) {
  if (!usersTimer) usersTimer = setTimeout(refreshPeople, Math.random() * within);
}

function roomButton(id, name, online) {
  const item = element('li');
  const button = element('button', rooms.get(id)?.unread ? 'unread' : '');
  button.type = 'button';
  button.dataset.testid = 'room';
  button.dataset.room = id;
  button.dataset.name = name;
  button.setAttribute('aria-current', String(id === current));
  if (online !== undefined) {
    const dot = element('span', online ? 'dot on' : 'dot');
    dot.setAttribute('role', 'img');
    dot.setAttribute('aria-label', online ? 'on line' : 'away');
    button.append(dot);
  }
  const unread = rooms.get(id)?.unread ?? 0;
  button.append(element('span', 'label', name), element('span', 'badge', unread ? String(unread) : ''));
  button.addEventListener('click', () => open(id));
  item.append(button);
  return item;
}

function showRooms() {
  const me = chat.user?.userUUID;
  const focus = document.activeElement?.dataset?.room;
  // Oneself first, then those who are on line, each by name.
  const sorted = [...people].sort((a, b) => (b.UUID === me) - (a.UUID === me) || b.OnLine - a.OnLine);
  $('general').replaceChildren(roomButton('', 'General'));
  $('people').replaceChildren(...sorted.map((p) => roomButton(p.UUID, p.UUID === me ? 'Notes to self' : p.Username, p.OnLine)));
  $('online-count').textContent = `${people.filter((p) => p.OnLine).length} on line`;
  if (focus !== undefined) document.querySelector(`[data-room="${CSS.escape(focus)}"]`)?.focus();
  const unread = [...rooms.values()].reduce((n, r) => n + r.unread, 0);
  document.title = unread ? `(${unread}) Palaver` : 'Palaver';
}

async function open(id) {
  room(current).draft = $('text').value;
  if (id && !people.some((p) => p.UUID === id)) id = '';
  current = id;
  store({ room: id });
  const r = room(id);
  r.unread = 0;
  if (id) r.name = people.find((p) => p.UUID === id).Username;
  $('text').value = r.draft;
  $('room-name').textContent = r.name;
  closeMenu();
  grow();
  showRooms();
  showHere();
  log.show(r.messages);
  if (!r.joined) chat.join(id).catch(() => {});
  r.joined = true;
  // Where it would bring up a keyboard on the screen, that is left to a tap.
  if (!matchMedia('(pointer: coarse)').matches) $('text').focus();
}

/** Puts a message in its place, once: by the part of the history, then by seq. */
function take(id, message, fresh) {
  const r = room(id);
  const all = r.messages;
  let n = all.findLastIndex((m) => m.UUID === message.UUID && m.SenderUUID === message.SenderUUID);
  if (n >= 0) message = Object.assign(all.splice(n, 1)[0], message);
  message.part = r.parts;
  n = all.length;
  while (n && message.seq !== undefined && (all[n - 1].seq === undefined || (all[n - 1].part === r.parts && all[n - 1].seq > message.seq))) n -= 1;
  all.splice(n, 0, message);
  if (id === current) log.put(all, n, fresh);
  if (all.length > KEEP) remove(id, all[0]);
}

function remove(id, message) {
  const all = room(id).messages;
  const n = all.indexOf(message);
  all.splice(n, 1);
  if (id === current) log.drop(all, n, message);
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
  const message = {
    UUID: newUUID(), SenderUUID: chat.user?.userUUID, Sender: { Username: $('me').textContent },
    Message: text, CreatedAt: new Date().toISOString(), state: 'sending',
  };
  transmit(current, message);
}

function grow() {
  $('text').style.height = 'auto';
  $('text').style.height = `${$('text').scrollHeight + 2}px`;
}

// ---- what the library tells ----

chat.addEventListener('authorized', ({ detail }) => {
  store({ key: detail.accessKey });
  refreshPeopleSoon();
});
chat.addEventListener('signedOut', leaveAll);

function showHere() {
  const { here } = room(current);
  $('room-state').textContent = current || !here ? '' : `${here} here`;
}

chat.addEventListener('joined', ({ detail }) => {
  for (const message of detail.messages) take(detail.id, message);
  room(detail.id).here = detail.total;
  showHere();
});

chat.addEventListener('gap', ({ detail: { id } }) => {
  room(id).parts += 1;
  take(id, { UUID: `gap ${room(id).parts}`, gap: true, seq: 0 });
});

chat.addEventListener('message', ({ detail }) => {
  const id = chat.channelOf(detail);
  take(id, { ...detail, state: 'sent' }, true);
  if (id !== current || document.hidden) {
    if (detail.SenderUUID !== chat.user.userUUID) room(id).unread += 1;
    showRooms();
  }
});

chat.addEventListener('sys', ({ detail }) => {
  if (detail.type !== 'channelMessage') {
    refreshPeopleSoon(detail.type === 'users' ? detail.after * 1000 : USERS_AGAIN);
  } else if (detail.SenderUUID !== chat.user.userUUID) {
    room(detail.SenderUUID).unread += 1;
    if (people.some((p) => p.UUID === detail.SenderUUID)) showRooms();
    else refreshPeopleSoon();
  }
});
chat.addEventListener('leave', () => refreshPeopleSoon());

const BY = { websocket: 'Connected by WebSocket', poll: 'Connected by long-poll' };
// Tries in a row are one thing to tell; the seconds are not read out.
chat.addEventListener('state', ({ detail: { state, wait, offline, transport } }) => {
  const live = state === 'live';
  const at = Date.now() + wait;
  if (live || state === 'waiting') tried = !live;
  clearInterval(countdown);
  const tell = () => {
    $('banner-wait').textContent = state === 'waiting' ? ` in ${Math.max(1, Math.ceil((at - Date.now()) / 1000))} s` : '';
  };
  tell();
  if (state === 'waiting') countdown = setInterval(tell, 1000);
  const text = BY[transport] ?? (offline ? 'Offline. Trying again' : tried ? 'Not connected. Trying again' : state === 'closed' ? '' : 'Connecting…');
  if ($('banner-text').textContent !== text) $('banner-text').textContent = text;
  $('banner').dataset.state = live ? state : offline ? 'offline' : tried ? 'waiting' : state;
  $('retry').hidden = !tried;
});

// ---- the page ----

function closeMenu() {
  if (!$('rooms').classList.contains('open')) return;
  $('rooms').classList.remove('open');
  $('menu').setAttribute('aria-expanded', 'false');
  $('menu').focus();
}

$('menu').addEventListener('click', () => {
  if ($('rooms').classList.contains('open')) {
    closeMenu();
    return;
  }
  $('rooms').classList.add('open');
  $('menu').setAttribute('aria-expanded', 'true');
  document.querySelector('[aria-current="true"]')?.focus();
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') closeMenu();
});
$('log').addEventListener('click', closeMenu);
$('tab-in').addEventListener('click', () => selectTab(false));
$('tab-up').addEventListener('click', () => selectTab(true));
$('sign').addEventListener('submit', submit);
$('sign-out').addEventListener('click', () => chat.signOut());
$('retry').addEventListener('click', () => chat.retry());
$('compose').addEventListener('submit', send);
$('text').addEventListener('input', grow);
$('text').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) send(event);
});
document.addEventListener('visibilitychange', () => {
  if (document.hidden || $('chat').hidden) return;
  room(current).unread = 0;
  showRooms();
});

const { key } = load();
if (key) {
  chat.resume(key).then(enter, () => {});
} else {
  chat.connect();
  showEntry();
}
