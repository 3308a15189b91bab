// SPDX-License-Identifier: MIT
/** The log of one room: messages as elements; text is only inserted as text. */

const GROUP_WITHIN = 5 * 60 * 1000; // ms between messages of one group
const NEAR_END = 60; // px
const NEAR_START = 200; // px, where older messages are loaded
const SEEK = 1000; // messages that are loaded to find where the new ones begin

/** Makes an element with a class and text. */
export function element(tag, className = '', text = '') {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text) e.textContent = text;
  return e;
}

/** Text in parts, every other one a link. */
const withLinks = (text) => text.split(/(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)])/)
  .map((part, n) => (n % 2 ? Object.assign(element('a', '', part), { href: part, rel: 'noreferrer', target: '_blank' }) : part));

const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const at = (message) => new Date(message?.CreatedAt ?? 0);

/**
 * Draws a room at most once a frame, and only what has changed of it: so a flood
 * of messages costs little, and what is read stays in its place.
 */
export class Log {
  #box;
  #newer;
  #older = element('button', 'older', 'Show older messages');
  #divider = Object.assign(element('div', 'new', 'New messages'), { role: 'separator', ariaLabel: 'New messages' });
  #context;
  #room;
  #rows; // message -> {row, before, state, time}: what is drawn of it
  #frame = 0; // that will draw
  #quiet = false; // what it draws is no news
  #stick = true; // at the end, and stays there
  #read; // seq of the last message before the divider, or Infinity: there is none
  #seeks = false; // goes to the divider
  #unseen = 0;

  /** @param {{me: Function, retry: Function, remove: Function, older: Function}} context */
  constructor(box, newer, context) {
    this.#box = box;
    this.#newer = newer;
    this.#context = context;
    newer.addEventListener('click', () => {
      this.#toEnd();
      box.focus();
    });
    this.#older.addEventListener('click', () => context.older());
    // Sizes are asked for where nothing has changed since they were computed.
    box.addEventListener('scroll', () => {
      this.#look();
      if (!this.#stick && box.scrollTop < NEAR_START && box.firstChild === this.#older) context.older();
    });
    new ResizeObserver(() => this.#stick && this.#toEnd()).observe(box);
  }

  /** Whether somebody reads above the end. */
  get reading() {
    return !this.#stick;
  }

  /**
   * Shows a room from its end.
   * @param {{messages: object[], more: boolean}} room its messages in order, which
   *   may change before any change(); whether older ones can be had
   */
  show(room) {
    this.#room = room;
    this.#rows = new WeakMap();
    this.#read = Infinity;
    this.#box.replaceChildren();
    this.#stick = this.#quiet = true;
    this.#draw();
  }

  /** What comes behind that seq is new: goes there, where a divider is. */
  divide(seq) {
    this.#read = seq;
    this.#seeks = true;
    this.change();
  }

  /** The room has changed, perhaps by a fresh message. */
  change(fresh) {
    if (fresh?.SenderUUID === this.#context.me()) {
      this.#stick = true;
      this.#read = Infinity;
    } else if (fresh && !this.#stick) this.#unseen += 1;
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  /** It has older messages, which are no news. */
  grown() {
    this.#quiet = true;
    this.change();
  }

  #draw() {
    const box = this.#box;
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const { messages, more } = this.#room;
    const anchor = this.#stick ? null : [...box.querySelectorAll('.message, .gap')].find((e) => e.offsetTop + e.offsetHeight > box.scrollTop);
    const from = anchor?.offsetTop;
    if (this.#quiet) box.ariaBusy = true;
    const focused = document.activeElement === this.#older;
    const gap = messages.findLastIndex((m) => m.gap);
    const first = messages.findIndex((m, n) => n > gap && m.seq > this.#read);
    const divided = first > 0 && first === gap + 1 ? gap : first;
    const rows = [];
    let before;
    if (more && gap < 0) rows.push(this.#older);
    for (const [n, message] of messages.entries()) {
      if (n === divided) rows.push(this.#divider);
      rows.push(this.#row(message, before));
      if (more && n === gap) rows.push(this.#older);
      before = message;
    }
    const keep = new Set(rows);
    for (const e of [...box.children]) if (!keep.has(e)) e.remove();
    let next = box.firstChild;
    for (const row of rows) {
      if (row === next) next = row.nextSibling;
      else box.insertBefore(row, next);
    }
    if (focused) (more ? this.#older : box).focus({ preventScroll: true });
    if (this.#seeks && first >= 0) {
      box.scrollTop = this.#divider.offsetTop - box.clientHeight / 4;
      this.#unseen = messages.length - first;
      this.#look();
      this.#seeks = more && first === gap + 1 && messages[first].seq > this.#read + 1 && messages.length < SEEK;
      if (this.#seeks) this.#context.older();
    } else if (this.#stick) this.#toEnd();
    else if (anchor) box.scrollTop += anchor.offsetTop - from;
    this.#newer.textContent = `↓ ${this.#unseen} new`;
    this.#newer.hidden = !this.#unseen;
    if (this.#quiet) setTimeout(() => (box.ariaBusy = false));
    this.#quiet = false;
  }

  /** A message's row, as it is behind the one before. */
  #row(message, before) {
    const { state, CreatedAt: time } = message;
    const old = this.#rows.get(message);
    const row = old?.row ?? this.#make(message);
    if (old && (message.gap || (old.before === before && old.state === state && old.time === time))) return row;
    this.#rows.set(message, { row, before, state, time });
    if (!message.gap) this.#refresh(row, message, before);
    return row;
  }

  #make(message) {
    const row = element('div');
    if (message.gap) {
      row.append(element('p', 'gap', 'Messages are missing here: not all were kept.'));
      return row;
    }
    const mine = message.SenderUUID === this.#context.me();
    const e = element('article', `message${mine ? ' mine' : ''}`);
    const who = element('div', 'who');
    who.append(element('b', '', mine ? 'You' : message.Sender.Username), element('time'));
    const text = element('div', 'text');
    text.append(...withLinks(message.Message));
    e.append(who, text, element('div', 'status'));
    row.append(element('div', 'day'), e);
    return row;
  }

  /** What may change of a message: its place in a group, time and state. */
  #refresh(row, message, before) {
    const [label, e] = row.children;
    const [day, state] = [DAY.format(at(message)), message.state ?? 'sent'];
    const newDay = day !== DAY.format(at(before));
    label.textContent = newDay ? day : '';
    e.classList.toggle('head', newDay || before.SenderUUID !== message.SenderUUID || at(message) - at(before) > GROUP_WITHIN);
    const time = e.querySelector('time');
    time.textContent = TIME.format(at(message));
    time.dateTime = e.title = message.CreatedAt;
    if (e.dataset.state === state) return;
    e.dataset.state = state;
    e.lastChild.replaceWith(this.#status(message));
  }

  #status(message) {
    const { state, why } = message;
    const status = element('div', 'status', { sending: 'sending…', failed: `not sent: ${why}` }[state]);
    if (state !== 'failed') return status;
    for (const [name, does] of [['Retry', 'retry'], ['Delete', 'remove']]) {
      const button = element('button', '', name);
      button.addEventListener('click', () => this.#context[does](message));
      status.append(button);
    }
    return status;
  }

  /** It has been scrolled. */
  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    this.#stick = scrollHeight - scrollTop - clientHeight < NEAR_END;
    if (!this.#stick) return;
    this.#unseen = 0;
    this.#newer.hidden = true;
  }

  #toEnd() {
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#look();
  }
}
