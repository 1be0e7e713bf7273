// A small client of PostgreSQL's protocol, version 3: SCRAM-SHA-256, parameters apart from the text, one connection, in order.
// An application of yours would use a package; this one needs nothing from a registry.
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import { connect } from 'node:net';

export class Database {
  #options;
  #socket = null;
  #ready = null;
  #queue = [];
  #rest = Buffer.alloc(0);

  constructor(options) {
    this.#options = options;
  }

  /** Rows as objects of strings (null for NULL). A lost connection is made anew for the next query. */
  async query(text, values = []) {
    await (this.#ready ??= this.#open());
    return new Promise((resolve, reject) => {
      this.#queue.push({ resolve, reject, names: [], rows: [], error: null });
      this.#socket.write(Buffer.concat([
        message('P', cstring(''), cstring(text), int16(0)),
        message('B', cstring(''), cstring(''), int16(0), int16(values.length), ...values.map(parameter), int16(0)),
        message('D', Buffer.from('P'), cstring('')), message('E', cstring(''), int32(0)), message('S'),
      ]));
    });
  }

  close() {
    this.#socket?.end(message('X'));
  }

  #open() {
    return new Promise((resolve, reject) => {
      const { host, port, user, database, password } = this.#options;
      const socket = connect({ host, port });
      this.#socket = socket;
      const lost = (error) => {
        this.#ready = null;
        reject(error);
        for (const waiting of this.#queue.splice(0)) waiting.reject(error);
      };
      socket.on('connect', () => {
        const body = Buffer.concat([int32(196608), ...['user', user, 'database', database].map(cstring), Buffer.from([0])]);
        socket.write(Buffer.concat([int32(body.length + 4), body]));
      });
      socket.on('error', lost);
      socket.on('close', () => lost(new Error('the database closed the connection')));
      const scram = new Scram(password);
      socket.on('data', (chunk) => this.#read(chunk, { resolve, lost, scram }));
    });
  }

  #read(chunk, opening) {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 5) {
      const length = this.#rest.readInt32BE(1);
      if (this.#rest.length < length + 1) return;
      const type = String.fromCharCode(this.#rest[0]);
      this.#handle(type, this.#rest.subarray(5, length + 1), opening);
      this.#rest = this.#rest.subarray(length + 1);
    }
  }

  #handle(type, body, opening) {
    const current = this.#queue[0];
    if (type === 'R') {
      const answer = opening.scram.answer(body.readInt32BE(0), body.subarray(4));
      if (answer !== null) this.#socket.write(answer);
    } else if (type === 'E') {
      const error = new Error(errorText(body));
      if (current === undefined) opening.lost(error);
      else current.error = error;
    } else if (type === 'T') current.names = columnNames(body);
    else if (type === 'D') current.rows.push(row(body, current.names));
    else if (type === 'Z') {
      if (current === undefined) opening.resolve();
      else {
        this.#queue.shift();
        if (current.error === null) current.resolve(current.rows);
        else current.reject(current.error);
      }
    }
  }
}

/** SCRAM-SHA-256 (RFC 7677), the client's side. */
class Scram {
  #password;
  #nonce = randomBytes(18).toString('base64');
  #serverSignature = null;

  constructor(password) {
    this.#password = password;
  }

  answer(kind, data) {
    if (kind === 0) return null;
    if (kind === 10) {
      const first = `n,,n=,r=${this.#nonce}`;
      return message('p', cstring('SCRAM-SHA-256'), int32(first.length), Buffer.from(first));
    }
    if (kind === 11) return message('p', Buffer.from(this.#final(data.toString())));
    if (kind === 12) {
      const given = Buffer.from(/v=([^,]+)/.exec(data.toString())?.[1] ?? '', 'base64');
      if (given.length !== 32 || !timingSafeEqual(given, this.#serverSignature)) throw new Error('the server does not know the password');
      return null;
    }
    throw new Error(`unsupported authentication ${kind}`);
  }

  #final(serverFirst) {
    const { r, s, i } = Object.fromEntries(serverFirst.split(',').map((part) => [part[0], part.slice(2)]));
    const salted = pbkdf2Sync(this.#password, Buffer.from(s, 'base64'), Number(i), 32, 'sha256');
    const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
    const clientKey = hmac(salted, 'Client Key');
    const bare = `c=biws,r=${r}`;
    const transcript = `n=,r=${this.#nonce},${serverFirst},${bare}`;
    const signature = hmac(createHash('sha256').update(clientKey).digest(), transcript);
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), transcript);
    return `${bare},p=${Buffer.from(clientKey.map((byte, index) => byte ^ signature[index])).toString('base64')}`;
  }
}

const int16 = (value) => Buffer.from([value >> 8, value & 255]);
const int32 = (value) => {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
};
const cstring = (text) => Buffer.concat([Buffer.from(text), Buffer.from([0])]);

function message(type, ...parts) {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

function parameter(value) {
  if (value === null) return int32(-1);
  const bytes = Buffer.from(String(value));
  return Buffer.concat([int32(bytes.length), bytes]);
}

function columnNames(body) {
  const names = [];
  let offset = 2;
  for (let index = 0; index < body.readInt16BE(0); index += 1) {
    const end = body.indexOf(0, offset);
    names.push(body.toString('utf8', offset, end));
    offset = end + 19;
  }
  return names;
}

function row(body, names) {
  const values = {};
  let offset = 2;
  for (const name of names) {
    const length = body.readInt32BE(offset);
    offset += 4;
    values[name] = length < 0 ? null : body.toString('utf8', offset, offset + length);
    offset += Math.max(0, length);
  }
  return values;
}

function errorText(body) {
  const fields = body.toString().split('\0').filter(Boolean);
  return fields.find((field) => field.startsWith('M'))?.slice(1) ?? 'unknown error';
}
