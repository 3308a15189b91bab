// SPDX-License-Identifier: MIT
// For the tests in JavaScript: a network between a client and the web server
// that can be cut, and proxies that do not let a WebSocket through.
import { connect, createServer } from 'node:net';

export class Net {
  /**
   * 'open'. A WebSocket is refused by 403: 'refuse', never answered: 'mute', or
   * dropped after its first frame: 'brief'. 'portal': all requests get a page.
   */
  ways = 'open';
  opened = 0; // WebSockets asked for
  /** The next that the server says like this is lost, with its connection. */
  loses = null;
  #sockets = new Set();
  #server;
  #to;

  /** @param {string} to the web server's URL */
  static async before(to) {
    const n = new Net();
    n.#to = new URL(to).port;
    await n.#listen(0);
    n.port = n.#server.address().port;
    n.url = `http://127.0.0.1:${n.port}`;
    return n;
  }

  /** Drops all connections, and refuses new ones until mend(). */
  cut() {
    this.#server.close();
    this.drop();
  }

  mend() {
    return this.#listen(this.port);
  }

  /** Drops what is connected; of it only the WebSockets with 'ws'. */
  drop(what = '') {
    for (const s of this.#sockets) if (what !== 'ws' || s.webSocket) s.destroy();
  }

  #listen(port) {
    this.#server = createServer((s) => this.#accept(s));
    return new Promise((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
  }

  #accept(socket) {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
    socket.once('data', (first) => {
      socket.webSocket = /^GET \S*\/ws /.test(first);
      this.opened += socket.webSocket;
      const answer = (status, body) => socket.end(`HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
      if (socket.webSocket && this.ways === 'mute') return;
      if (socket.webSocket && this.ways === 'refuse') {
        answer('403 Forbidden', '');
        return;
      }
      if (this.ways === 'portal') {
        answer('200 OK', '<p>Welcome to this hotel.</p>');
        return;
      }
      const there = connect(this.#to, '127.0.0.1');
      there.on('error', () => socket.destroy());
      there.once('close', () => socket.destroy());
      socket.once('close', () => there.destroy());
      there.on('data', (said) => {
        if (socket.webSocket && this.ways === 'brief' && /"ready"/.test(said)) setImmediate(() => socket.destroy());
        if (!this.loses?.test(said)) return;
        this.loses = null;
        socket.destroy();
      });
      there.write(first);
      socket.pipe(there);
      there.pipe(socket);
    });
  }
}
