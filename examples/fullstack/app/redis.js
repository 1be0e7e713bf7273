// A small client of Redis' protocol (RESP2): commands in order on one connection, made anew when it is lost.
import { connect } from 'node:net';

export class Cache {
  #options;
  #socket = null;
  #waiting = [];
  #rest = Buffer.alloc(0);

  constructor(options) {
    this.#options = options;
  }

  command(...words) {
    const socket = (this.#socket ??= this.#open());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`).join('')}`);
    });
  }

  close() {
    this.#socket?.end();
  }

  #open() {
    const socket = connect(this.#options);
    const lost = (error) => {
      if (this.#socket === socket) this.#socket = null;
      this.#rest = Buffer.alloc(0);
      for (const one of this.#waiting.splice(0)) one.reject(error);
    };
    socket.on('error', lost);
    socket.on('close', () => lost(new Error('the cache closed the connection')));
    socket.on('data', (chunk) => {
      this.#rest = Buffer.concat([this.#rest, chunk]);
      for (let parsed = parse(this.#rest, 0); parsed !== null; parsed = parse(this.#rest, 0)) {
        this.#rest = this.#rest.subarray(parsed.end);
        const one = this.#waiting.shift();
        if (parsed.value instanceof Error) one?.reject(parsed.value);
        else one?.resolve(parsed.value);
      }
    });
    return socket;
  }
}

/** One reply from `start`: its value and where it ends, or null while it is not whole. */
function parse(buffer, start) {
  const lineEnd = buffer.indexOf('\r\n', start);
  if (lineEnd < 0) return null;
  const type = String.fromCharCode(buffer[start]);
  const text = buffer.toString('utf8', start + 1, lineEnd);
  const after = lineEnd + 2;
  if (type === '+') return { value: text, end: after };
  if (type === '-') return { value: new Error(text), end: after };
  if (type === ':') return { value: Number(text), end: after };
  const length = Number(text);
  if (length < 0) return { value: null, end: after };
  if (type === '$') return buffer.length < after + length + 2 ? null : { value: buffer.toString('utf8', after, after + length), end: after + length + 2 };
  const values = [];
  let end = after;
  for (let index = 0; index < length; index += 1) {
    const item = parse(buffer, end);
    if (item === null) return null;
    values.push(item.value);
    end = item.end;
  }
  return { value: values, end };
}
