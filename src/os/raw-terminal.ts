import { libcFunction } from './libc.ts';

/** Larger than the structure of any C library. */
const termiosBytes = 256;
const whenWritten = 1;

/**
 * Hands every byte of a terminal on as it is, both ways: what comes from a program's own terminal has its line ends already, and
 * would get a second carriage return (Node's raw mode keeps that of the output). The answer puts the terminal back; where this
 * process ends before, Node does. Does nothing where the descriptor is no terminal.
 */
export function rawTerminal(fd: number): () => void {
  const get = libcFunction('int tcgetattr(int fd, _Out_ uint8_t *settings)');
  const set = libcFunction('int tcsetattr(int fd, int action, const uint8_t *settings)');
  const makeRaw = libcFunction('void cfmakeraw(_Inout_ uint8_t *settings)');
  const before = new Uint8Array(termiosBytes);
  if (get(fd, before) !== 0) return () => undefined;
  const raw = before.slice();
  makeRaw(raw);
  set(fd, whenWritten, raw);
  return () => void set(fd, whenWritten, before);
}
