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

export class Log {
  #box;
  #newer;
  #unseen = 0;

  constructor(box, newer) {
    this.#box = box;
    this.#newer = newer;
    newer.addEventListener('click', () => this.#toEnd());
    box.addEventListener('scroll', () => {
      if (this.#atEnd()) this.#seen();
    });
  }

  /**
   * Shows a room's messages.
   * @param {object[]} messages in order
   * @param {{me: string, retry: Function, remove: Function}} context
   */
  show(messages, context) {
    this.#box.replaceChildren();
    let before = null;
    for (const message of messages) {
      this.#append(message, before, context);
      before = message;
    }
    if (messages.length === 0) this.#box.append(element('p', 'note', 'No messages yet. Say hello.'));
    this.#toEnd();
  }

  /** Shows the room again after one message was added or has changed. */
  update(messages, context, fresh) {
    const stick = this.#atEnd() || fresh?.SenderUUID === context.me;
    const top = this.#box.scrollTop;
    this.show(messages, context);
    if (stick) return;
    this.#box.scrollTop = top;
    if (fresh) this.#unseen += 1;
    this.#newer.textContent = `↓ ${this.#unseen} new`;
    this.#newer.hidden = this.#unseen === 0;
  }

  #append(message, before, context) {
    const at = new Date(message.CreatedAt);
    const day = at.toLocaleDateString(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
    const dayBefore = before && new Date(before.CreatedAt).toLocaleDateString(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
    if (day !== dayBefore) this.#box.append(element('div', 'day', day));
    const mine = message.SenderUUID === context.me;
    const head = day !== dayBefore || before.SenderUUID !== message.SenderUUID || at - new Date(before.CreatedAt) > GROUP_WITHIN;
    const e = element('article', `message${mine ? ' mine' : ''}${head ? ' head' : ''}`);
    e.dataset.testid = 'message';
    e.dataset.uuid = message.UUID;
    e.dataset.state = message.state ?? 'sent';
    const who = element('div', 'who');
    const time = element('time', '', at.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' }));
    time.dateTime = message.CreatedAt;
    e.title = message.CreatedAt;
    who.append(element('b', '', mine ? 'You' : message.Sender.Username), time);
    const text = element('div', 'text');
    text.dataset.testid = 'message-text';
    text.append(withLinks(message.Message));
    e.append(who, text, this.#status(message, context));
    this.#box.append(e);
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
