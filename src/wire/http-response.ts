import type { Socket } from 'node:net';
import { AppError } from '../base/app-error.ts';
import { limits } from '../base/limits.ts';

/**
 * One answer of an HTTP/1.1 server, read from a connection of its own. It knows what our server says: a length, or chunks. Node's own
 * client knows all of HTTP and takes 8 ms of a short command to load.
 */
export type HttpAnswer = {
  readonly status: number;
  /** The body as it comes. Throws `lost()` where the connection ends before the body does. */
  readonly body: () => AsyncGenerator<Buffer, void, undefined>;
  /** What came behind the head, for a connection that was switched. Nothing may be read from the socket before. */
  readonly takeRest: () => Buffer;
};

const headBytesMax = 64 * 1024;
const headEnd = Buffer.from('\r\n\r\n');
const lineEnd = Buffer.from('\r\n');

/** Reads the head of the answer. Errors: `lost()`, WIRE_BAD_RESPONSE. */
export async function readAnswer(socket: Socket, lost: () => Error): Promise<HttpAnswer> {
  const input = new Input(socket, lost);
  const head = await input.until(headEnd, headBytesMax);
  const [first = '', ...lines] = head.toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) throw malformed(first.slice(0, 80));
  const headers = new Map(lines.map((line) => {
    const cut = line.indexOf(':');
    return [line.slice(0, cut).toLowerCase(), line.slice(cut + 1).trim()] as const;
  }));
  return { status, body: () => bodyOf(input, headers), takeRest: () => input.takeRest() };
}

async function* bodyOf(input: Input, headers: ReadonlyMap<string, string>): AsyncGenerator<Buffer, void, undefined> {
  if (headers.get('transfer-encoding') === 'chunked') {
    for (;;) {
      const text = (await input.until(lineEnd, 1024)).toString('latin1');
      const size = Number.parseInt(text, 16);
      if (!/^[0-9a-f]+/i.test(text) || size > limits.requestBytesMax) throw malformed(`a chunk of ${text.slice(0, 40)}`);
      if (size === 0) return;
      yield await input.exactly(size);
      await input.exactly(lineEnd.length);
    }
  }
  let left = Number(headers.get('content-length') ?? 0);
  while (left > 0) {
    const chunk = await input.atMost(left);
    left -= chunk.length;
    yield chunk;
  }
}

function malformed(what: string): AppError {
  return new AppError({ code: 'WIRE_BAD_JSON', message: `the daemon answered something that is not HTTP: ${what}` });
}

/** Bytes of a socket, taken in the portions that a parser wants. */
class Input {
  readonly #socket: Socket;
  readonly #lost: () => Error;
  #waiting: Buffer = Buffer.alloc(0);
  #isEnded = false;
  #error: Error | null = null;
  #wake: () => void = () => undefined;
  readonly #onData = (chunk: Buffer): void => {
    this.#waiting = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk]);
    // Who reads slowly is sent slowly.
    if (this.#waiting.length > pausedFromBytes) this.#socket.pause();
    this.#wake();
  };
  readonly #onEnd = (): void => {
    this.#isEnded = true;
    this.#wake();
  };
  readonly #onError = (error: Error): void => {
    this.#error = error;
    this.#wake();
  };

  constructor(socket: Socket, lost: () => Error) {
    this.#socket = socket;
    this.#lost = lost;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onEnd);
    socket.on('error', this.#onError);
  }

  async until(mark: Buffer, sizeMax: number): Promise<Buffer> {
    for (let from = 0; ; ) {
      const at = this.#waiting.indexOf(mark, from);
      if (at >= 0) {
        const found = this.#take(at);
        this.#take(mark.length);
        return found;
      }
      from = Math.max(0, this.#waiting.length - mark.length + 1);
      if (this.#waiting.length > sizeMax) throw malformed(`more than ${sizeMax} bytes without an end`);
      await this.#more();
    }
  }

  async exactly(size: number): Promise<Buffer> {
    while (this.#waiting.length < size) await this.#more();
    return this.#take(size);
  }

  async atMost(size: number): Promise<Buffer> {
    if (this.#waiting.length === 0) await this.#more();
    return this.#take(Math.min(size, this.#waiting.length));
  }

  takeRest(): Buffer {
    this.#socket.off('data', this.#onData);
    this.#socket.off('end', this.#onEnd);
    this.#socket.off('close', this.#onEnd);
    this.#socket.off('error', this.#onError);
    this.#socket.pause();
    return this.#take(this.#waiting.length);
  }

  #take(size: number): Buffer {
    const taken = this.#waiting.subarray(0, size);
    this.#waiting = this.#waiting.subarray(size);
    return taken;
  }

  async #more(): Promise<void> {
    if (this.#error !== null) throw this.#error;
    if (this.#isEnded) throw this.#lost();
    const before = this.#waiting.length;
    const came = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#socket.resume();
    await came;
    if (this.#error !== null) throw this.#error;
    if (this.#waiting.length === before && this.#isEnded) throw this.#lost();
  }
}

const pausedFromBytes = 256 * 1024;
