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
  const part = document.createDocumentFragment();
  let end = 0;
  for (const match of text.matchAll(/https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)]/g)) {
    part.append(text.slice(end, match.index));
    const a = element('a', '', match[0]);
    a.href = match[0];
    a.rel = 'noopener noreferrer';
    a.target = '_blank';
    part.append(a);
    end = match.index + match[0].length;
  }
  part.append(text.slice(end));
  return part;
}

/** What a message looks like beside the one before: its day, whether it begins a group. */
function placed(message, before) {
  const at = new Date(message.CreatedAt);
  const day = at.toLocaleDateString(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
  const dayBefore = before && new Date(before.CreatedAt).toLocaleDateString(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
  const head = day !== dayBefore || before.SenderUUID !== message.SenderUUID || at - new Date(before.CreatedAt) > GROUP_WITHIN;
  return { day: day === dayBefore ? '' : day, head };
}

export class Log {
  #box;
  #newer;
  #unseen = 0;
  #parts = new Map(); // what is shown, by UUID or day -> its element

  constructor(box, newer) {
    this.#box = box;
    this.#newer = newer;
    newer.addEventListener('click', () => this.#toEnd());
    box.addEventListener('scroll', () => {
      if (this.#atEnd()) this.#seen();
    });
  }

  /**
   * Shows a room's messages, its newest first seen.
   * @param {object[]} messages in order
   * @param {{me: string, retry: Function, remove: Function}} context
   */
  show(messages, context) {
    this.#parts.clear();
    this.#box.replaceChildren();
    this.#box.setAttribute('aria-busy', 'true'); // a history is not read out
    this.#patch(messages, context);
    this.#toEnd();
    setTimeout(() => this.#box.removeAttribute('aria-busy'));
  }

  /** Shows what was added or has changed; all else stays where it is. */
  update(messages, context, fresh) {
    const stick = this.#atEnd() || fresh?.SenderUUID === context.me;
    this.#patch(messages, context);
    if (stick) {
      this.#toEnd();
      return;
    }
    if (fresh) this.#unseen += 1;
    this.#newer.textContent = `↓ ${this.#unseen} new`;
    this.#newer.hidden = this.#unseen === 0;
  }

  /** Makes the box hold the messages: elements are kept, moved, added, removed. */
  #patch(messages, context) {
    const parts = new Map();
    let before = null;
    for (const message of messages) {
      const { day, head } = placed(message, before);
      if (day) parts.set(day, this.#parts.get(day) ?? element('div', 'day', day));
      const e = this.#parts.get(message.UUID) ?? this.#make(message, context);
      this.#refresh(e, message, head, context);
      parts.set(message.UUID, e);
      before = message;
    }
    if (messages.length === 0) parts.set('', this.#parts.get('') ?? element('p', 'note', 'No messages yet. Say hello.'));
    for (const [key, e] of this.#parts) if (parts.get(key) !== e) e.remove();
    this.#parts = parts;
    let at = this.#box.firstChild;
    for (const e of parts.values()) {
      if (e === at) at = at.nextSibling;
      else this.#box.insertBefore(e, at);
    }
  }

  #make(message, context) {
    const mine = message.SenderUUID === context.me;
    const e = element('article', `message${mine ? ' mine' : ''}`);
    e.dataset.testid = 'message';
    e.dataset.uuid = message.UUID;
    const who = element('div', 'who');
    who.append(element('b', '', mine ? 'You' : message.Sender.Username), element('time'));
    const text = element('div', 'text');
    text.dataset.testid = 'message-text';
    text.append(withLinks(message.Message));
    e.append(who, text, element('div', 'status'));
    return e;
  }

  /** What may change of a message: its place in a group, time and state. */
  #refresh(e, message, head, context) {
    const state = message.state ?? 'sent';
    e.classList.toggle('head', head);
    if (e.title !== message.CreatedAt) {
      const time = e.querySelector('time');
      time.textContent = new Date(message.CreatedAt).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });
      time.dateTime = e.title = message.CreatedAt;
    }
    if (e.dataset.state === state) return;
    e.dataset.state = state;
    e.lastChild.replaceWith(this.#status(message, context));
  }

  #status(message, context) {
    const status = element('div', 'status');
    if (message.state === 'sending') status.textContent = 'sending…';
    if (message.state !== 'failed') return status;
    status.textContent = `not sent: ${message.why}`;
    const retry = element('button', '', 'Retry');
    const remove = element('button', '', 'Delete');
    retry.type = remove.type = 'button';
    retry.addEventListener('click', () => context.retry(message));
    remove.addEventListener('click', () => context.remove(message));
    status.append(retry, remove);
    return status;
  }

  #atEnd() {
    const b = this.#box;
    return b.scrollHeight - b.scrollTop - b.clientHeight < NEAR_END;
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
