// SPDX-License-Identifier: MIT
/** The log of one room: messages as elements; text is only inserted as text. */

const GROUP_WITHIN = 5 * 60 * 1000; // ms between messages of one group
const NEAR_END = 60; // px

/** Makes an element with a class and text. */
export function element(tag, className = '', text = '') {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text) e.textContent = text;
  return e;
}

/** Text with its links as elements. */
function withLinks(text) {
  const part = new DocumentFragment();
  let end = 0;
  for (const { 0: href, index } of text.matchAll(/https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)]/g)) {
    const a = Object.assign(element('a', '', href), { href, rel: 'noreferrer', target: '_blank' });
    part.append(text.slice(end, index), a);
    end = index + href.length;
  }
  part.append(text.slice(end));
  return part;
}

const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const at = (message) => new Date(message?.CreatedAt ?? 0);

export class Log {
  #box;
  #newer;
  #context;
  #unseen = 0;
  #rows = new Map(); // message -> element

  /** @param {{me: string, retry: Function, remove: Function}} context */
  constructor(box, newer, context) {
    this.#box = box;
    this.#newer = newer;
    this.#context = context;
    newer.addEventListener('click', () => this.#toEnd());
    box.addEventListener('scroll', () => {
      if (this.#atEnd()) this.#seen();
    });
  }

  /** Shows a room's messages, which are in order, from their end. */
  show(messages) {
    this.#rows.clear();
    this.#box.replaceChildren();
    this.#box.ariaBusy = true; // a history is not read out
    messages.forEach((_, n) => this.#place(messages, n));
    this.#toEnd();
    setTimeout(() => {
      this.#box.ariaBusy = false;
    });
  }

  /** messages[n] is new, has changed or moved there; all else stays as it is. */
  put(messages, n, fresh) {
    const stick = this.#atEnd() || (fresh && messages[n].SenderUUID === this.#context.me);
    this.#place(messages, n);
    if (messages[n + 1]) this.#place(messages, n + 1);
    if (stick) {
      this.#toEnd();
      return;
    }
    if (fresh) this.#unseen += 1;
    this.#newer.textContent = `↓ ${this.#unseen} new`;
    this.#newer.hidden = this.#unseen === 0;
  }

  /** A message was at messages[n] and is no more. */
  drop(messages, n, message) {
    this.#rows.get(message)?.remove();
    this.#rows.delete(message);
    if (messages[n]) this.#place(messages, n);
  }

  #place(messages, n) {
    const message = messages[n];
    const before = messages[n - 1]?.gap ? messages[n - 2] : messages[n - 1];
    const row = this.#rows.get(message) ?? this.#make(message);
    const next = this.#rows.get(messages[n + 1]) ?? null;
    if (!row.parentNode || row.nextSibling !== next) this.#box.insertBefore(row, next);
    if (!message.gap) this.#refresh(row, message, before);
  }

  #make(message) {
    const row = element('div');
    this.#rows.set(message, row);
    if (message.gap) {
      row.append(element('p', 'gap', 'Messages are missing here: they were not kept long enough.'));
      return row;
    }
    const mine = message.SenderUUID === this.#context.me;
    const e = element('article', `message${mine ? ' mine' : ''}`);
    e.dataset.testid = 'message';
    const who = element('div', 'who');
    who.append(element('b', '', mine ? 'You' : message.Sender.Username), element('time'));
    const text = element('div', 'text');
    text.dataset.testid = 'message-text';
    text.append(withLinks(message.Message));
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

  #atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    return scrollHeight - scrollTop - clientHeight < NEAR_END;
  }

  #toEnd() {
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#seen();
  }

  #seen() {
    this.#unseen = 0;
    this.#newer.hidden = true;
  }
}
