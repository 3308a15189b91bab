// SPDX-License-Identifier: MIT
// For the tests that speak WebSocket (RFC 6455) byte by byte: frames, and a
// client on a raw socket that sends whatever it is told.
import { connect } from 'node:net';

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** A frame from a client. length: 0 (the shortest form), 16 or 64 bits. */
export function frame(opcode, payload = '', { fin = true, rsv = 0, mask = [0x37, 0xfa, 0x21, 0x3d], length = 0, claim } = {}) {
  const data = Buffer.from(payload);
  const n = claim ?? data.length;
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  const bit = mask ? 0x80 : 0;
  let head;
  if (length === 64 || (length === 0 && n > 65535)) {
    head = Buffer.alloc(10);
    head.writeBigUInt64BE(BigInt(n), 2);
    head[1] = bit | 127;
  } else if (length === 16 || n > 125) {
    head = Buffer.alloc(4);
    head.writeUInt16BE(n, 2);
    head[1] = bit | 126;
  } else {
    head = Buffer.from([0, bit | n]);
  }
  head[0] = first;
  if (!mask) return Buffer.concat([head, data]);
  return Buffer.concat([head, Buffer.from(mask), data.map((b, i) => b ^ mask[i % 4])]);
}

export const closing = (code, reason = '') => frame(CLOSE, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]));

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
/** A handshake; fields replaces or (null) drops header fields. */
export function handshake(fields = {}, line = 'GET /ws HTTP/1.1') {
  const all = {
    Host: 'bridge', Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Key': KEY, 'Sec-WebSocket-Version': '13', ...fields,
  };
  return `${line}\r\n${Object.entries(all).filter(([, v]) => v !== null).map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n`;
}

/** A connection that keeps what it is sent: the head of the HTTP answer, then frames. */
export class Wire {
  head = '';
  status = 0;
  frames = [];
  ended = false;
  #bytes = Buffer.alloc(0);
  #waiting = [];
  constructor(path, text) {
    this.socket = connect({ path, allowHalfOpen: false });
    this.socket.on('data', (d) => {
      this.#take(d);
      this.#look();
    });
    this.socket.on('close', () => {
      this.ended = true;
      this.#look();
    });
    this.socket.on('error', () => {});
    if (text) this.socket.write(text);
  }
  /** An upgraded connection, its ready frame taken. */
  static async open(path) {
    const w = new Wire(path, handshake());
    await w.until('ready', () => w.frames.length > 0);
    w.frames.shift();
    return w;
  }
  #look() {
    this.#waiting = this.#waiting.filter((w) => !w());
  }
  /** Until good() or the end of the connection; 20 s at most. */
  until(what, good) {
    if (good() || this.ended) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), 20000);
      this.#waiting.push(() => {
        if (!good() && !this.ended) return false;
        clearTimeout(timer);
        resolve();
        return true;
      });
    });
  }
  /** Bytes that came and are no frame: the body of an HTTP answer. */
  get rest() {
    return this.#bytes.length;
  }
  /** Until the HTTP answer; its status, 0 when there was none. */
  async answer() {
    await this.until('an answer', () => this.status);
    return this.status;
  }
  end() {
    return this.until('the end', () => false);
  }
  #take(d) {
    this.#bytes = Buffer.concat([this.#bytes, d]);
    if (!this.status) {
      const end = this.#bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.head = String(this.#bytes.subarray(0, end + 2));
      this.status = Number(this.head.split(' ')[1]);
      this.#bytes = this.#bytes.subarray(end + 4);
    }
    while (this.status === 101 && this.#bytes.length >= 2) {
      const b = this.#bytes;
      let n = b[1] & 0x7f;
      let at = 2;
      if (n === 126 && b.length >= 4) {
        n = b.readUInt16BE(2);
        at = 4;
      } else if (n === 127 && b.length >= 10) {
        n = Number(b.readBigUInt64BE(2));
        at = 10;
      } else if (n >= 126) {
        return;
      }
      if (b.length < at + n) return;
      this.frames.push({ first: b[0], opcode: b[0] & 15, masked: b[1] > 127, data: Buffer.from(b.subarray(at, at + n)) });
      this.#bytes = b.subarray(at + n);
    }
  }
  send(...parts) {
    for (const p of parts) this.socket.write(p);
  }
  /** The next frame, or null when the connection ended without one. */
  async next() {
    await this.until('a frame', () => this.frames.length > 0);
    return this.frames.shift() ?? null;
  }
  /** How it ends: the code of the close frame (0: an empty one), or 'cut'. */
  async closes() {
    const f = await this.next();
    if (!f) return 'cut';
    if (f.opcode !== CLOSE) return `frame ${f.opcode}: ${f.data}`;
    return f.data.length < 2 ? f.data.length : f.data.readUInt16BE(0);
  }
  drop() {
    this.socket.destroy();
  }
}
