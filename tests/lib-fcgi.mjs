// SPDX-License-Identifier: MIT
// For the tests in JavaScript: FastCGI as a web server speaks it, and CGI.
import { connect } from 'node:net';

const BEGIN = 1;
const ABORT = 2;
const END = 3;
const PARAMS = 4;
const STDIN = 5;
const STDOUT = 6;

function record(type, content, id = 1) {
  const head = Buffer.from([1, type, id >> 8, id & 255, content.length >> 8, content.length & 255, 0, 0]);
  return Buffer.concat([head, content]);
}

function stream(type, bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length; at += 65528) parts.push(record(type, bytes.subarray(at, at + 65528)));
  return Buffer.concat([...parts, record(type, Buffer.alloc(0))]);
}

function pairs(params) {
  const length = (n) => (n < 128 ? Buffer.from([n]) : Buffer.from([(n >> 24) | 128, n >> 16, n >> 8, n]));
  return Buffer.concat(Object.entries(params).flatMap(([name, value]) => {
    const [n, v] = [Buffer.from(name), Buffer.from(String(value))];
    return [length(n.length), length(v.length), n, v];
  }));
}

/** The CGI parameters of a POST of an operation. */
export const params = (type, body, more = {}) => ({
  GATEWAY_INTERFACE: 'CGI/1.1', REQUEST_METHOD: 'POST', PATH_INFO: `/api/${type}`, SCRIPT_NAME: '', CONTENT_TYPE: 'application/json',
  CONTENT_LENGTH: Buffer.byteLength(body), REMOTE_ADDR: '127.0.0.1', HTTP_HOST: 'localhost', ...more,
});

export const begin = (keep = false) => record(BEGIN, Buffer.from([0, 1, keep ? 1 : 0, 0, 0, 0, 0, 0]));
export const head = (type, body, { keep = false, more = {} } = {}) => Buffer.concat([begin(keep), stream(PARAMS, pairs(params(type, body, more)))]);
export const whole = (type, body, options) => Buffer.concat([head(type, body, options), stream(STDIN, Buffer.from(body))]);
export const abort = () => record(ABORT, Buffer.alloc(0));
export const body = (text) => stream(STDIN, Buffer.from(text));

/** Takes a CGI response apart. */
export function response(bytes) {
  const at = bytes.indexOf('\r\n\r\n');
  const fields = bytes.subarray(0, at).toString();
  const text = bytes.subarray(at + 4).toString();
  return {
    status: Number(/^Status: (\d+)/.exec(fields)?.[1]),
    retryAfter: Number(/^Retry-After: (\d+)/m.exec(fields)?.[1]),
    whole: Number(/Content-Length: (\d+)/.exec(fields)?.[1]) === Buffer.byteLength(text),
    text,
    get json() { return JSON.parse(text); },
  };
}

/** A connection of a web server to a responder. */
export class Connection {
  closed = false;
  #bytes = Buffer.alloc(0);
  #out = [];
  #waiting = [];
  #done = [];
  static open(target) {
    const c = new Connection();
    c.socket = connect(target);
    c.socket.on('data', (d) => c.#take(d));
    c.socket.on('error', (e) => { c.error = e; });
    c.socket.on('close', () => {
      c.closed = true;
      for (const one of c.#waiting.splice(0)) one(null);
    });
    return new Promise((resolve) => {
      c.socket.once('connect', () => resolve(c));
      c.socket.once('close', () => resolve(c));
    });
  }
  write(bytes) {
    this.socket.write(bytes);
  }
  end() {
    this.socket.destroy();
  }
  /** The next response; null when the connection ends without one. */
  take() {
    if (this.#done.length) return Promise.resolve(this.#done.shift());
    if (this.closed) return Promise.resolve(null);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
  #take(data) {
    this.#bytes = this.#bytes.length ? Buffer.concat([this.#bytes, data]) : data;
    let at = 0;
    while (this.#bytes.length - at >= 8) {
      const n = this.#bytes.readUInt16BE(at + 4);
      const to = at + 8 + n + this.#bytes[at + 6];
      if (this.#bytes.length < to) break;
      if (this.#bytes[at + 1] === STDOUT) this.#out.push(this.#bytes.subarray(at + 8, at + 8 + n));
      if (this.#bytes[at + 1] === END) {
        const got = response(Buffer.concat(this.#out));
        this.#out = [];
        if (this.#waiting.length) this.#waiting.shift()(got);
        else this.#done.push(got);
      }
      at = to;
    }
    this.#bytes = this.#bytes.subarray(at);
  }
}

/** One request on a connection of its own. */
export async function ask(target, type, payload = {}, more = {}) {
  const c = await Connection.open(target);
  c.write(whole(type, JSON.stringify(payload), { more }));
  const got = await c.take();
  c.end();
  return got;
}
