import { closeSync, constants, openSync, statSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { checked, errorName, libcFunction } from './libc.ts';

/** A terminal of ours: a program runs on `slaveFd`, we hold the other end. */
export type Pty = {
  readonly slaveFd: number;
  /** Call once the program has its end: until then the terminal would never be seen to end. */
  readonly closeSlave: () => void;
  readonly onData: (listener: (chunk: Uint8Array) => void) => void;
  /** Resolves when the program's end is closed and all is read. */
  readonly ended: Promise<void>;
  readonly write: (chunk: Uint8Array) => void;
  readonly resize: (columns: number, rows: number) => void;
  readonly close: () => void;
};

/** The numbers of pseudo-terminals (devices.txt). */
const ptsMajorFirst = 136;
const ptsMajorLast = 143;
const tiocswinsz = 0x5414;
const tiocgptn = 0x80045430;
const tiocsptlck = 0x40045431;
let ioctl: ReturnType<typeof libcFunction> | undefined;

export function openPty(): Pty {
  ioctl ??= libcFunction('int ioctl(int fd, unsigned long request, _Inout_ uint8_t *argument)');
  const call = ioctl;
  const master = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY);
  checked('ioctl', call(master, tiocsptlck, new Uint8Array(4)));
  const number = new Uint8Array(4);
  checked('ioctl', call(master, tiocgptn, number));
  const slaveFd = openSync(`/dev/pts/${new DataView(number.buffer).getUint32(0, true)}`, constants.O_RDWR | constants.O_NOCTTY);
  const stream = new ReadStream(master);
  let isOpen = true;
  let isSlaveOpen = true;
  const ended = new Promise<void>((resolve) => {
    stream.once('close', () => {
      isOpen = false;
      resolve();
    });
    // NOTE: Linux answers EIO on a terminal whose other end is closed: that is its end, not a fault.
    stream.on('error', () => stream.destroy());
    stream.once('end', () => stream.destroy());
  });
  return {
    slaveFd,
    closeSlave: () => {
      if (isSlaveOpen) closeSync(slaveFd);
      isSlaveOpen = false;
    },
    onData: (listener) => stream.on('data', listener),
    ended,
    write: (chunk) => {
      if (isOpen) writeAll(master, chunk);
    },
    resize: (columns, rows) => {
      if (!isOpen) return;
      const size = new Uint8Array(new Uint16Array([rows, columns, 0, 0]).buffer);
      checked('ioctl', call(master, tiocswinsz, size));
    },
    close: () => stream.destroy(),
  };
}

/**
 * Sets the size of the terminal that a process has as its input, and so tells its programs of the change. False where it has none
 * (any more). NOTE: what stands there is the process's own choice: it is looked at before it is opened, and opened without waiting.
 */
export function resizeTerminalOf(pid: number, columns: number, rows: number): boolean {
  ioctl ??= libcFunction('int ioctl(int fd, unsigned long request, _Inout_ uint8_t *argument)');
  const path = `/proc/${pid}/fd/0`;
  try {
    const facts = statSync(path);
    const major = (facts.rdev >> 8) & 0xfff;
    if (!facts.isCharacterDevice() || major < ptsMajorFirst || major > ptsMajorLast) return false;
    const fd = openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
    try {
      checked('ioctl', ioctl(fd, tiocswinsz, new Uint8Array(new Uint16Array([rows, columns, 0, 0]).buffer)));
      return true;
    } finally {
      closeSync(fd);
    }
  } catch {
    // The process ended between two steps.
    return false;
  }
}

/** What a terminal can't take at once (nobody reads at its other end) is dropped, as a keyboard's would be. */
function writeAll(fd: number, chunk: Uint8Array): void {
  let done = 0;
  while (done < chunk.length) {
    try {
      done += writeSync(fd, chunk, done, chunk.length - done);
    } catch (error) {
      if (errorName(error) === 'EAGAIN') return;
      throw error;
    }
  }
}
