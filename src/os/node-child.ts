import { fork } from 'node:child_process';
import process from 'node:process';

/** A helper process that runs one of our own modules and talks in JSON. It ends when we do, however we end. */
export type NodeChild = {
  readonly send: (message: object) => void;
  readonly onMessage: (listener: (message: unknown) => void) => void;
  /** Once, when it has ended or could not be started. */
  readonly onEnd: (listener: (why: string) => void) => void;
  readonly kill: () => void;
  /** Whether it keeps us alive. */
  readonly hold: (isHeld: boolean) => void;
};

/** What it writes to stderr goes to ours; of our environment and descriptors it gets nothing. */
export function startNodeChild(module: URL): NodeChild {
  const child = fork(module, [], { execPath: process.execPath, execArgv: [], env: {}, cwd: '/', stdio: ['ignore', 'ignore', 'inherit', 'ipc'], serialization: 'json' });
  let ended: string | null = null;
  const listeners: ((why: string) => void)[] = [];
  const end = (why: string): void => {
    if (ended !== null) return;
    ended = why;
    for (const listener of listeners) listener(why);
  };
  child.on('error', (error) => end(error.message));
  child.on('exit', (code, signal) => end(signal === null ? `exit code ${code}` : signal));
  return {
    // NOTE: a message to a child that has just ended is lost; `onEnd` tells of it.
    send: (message) => void child.send(message, () => undefined),
    onMessage: (listener) => {
      child.removeAllListeners('message');
      child.on('message', listener);
    },
    onEnd: (listener) => {
      if (ended === null) listeners.push(listener);
      else listener(ended);
    },
    kill: () => void child.kill('SIGKILL'),
    hold: (isHeld) => {
      if (isHeld) {
        child.ref();
        child.channel?.ref();
      } else {
        child.unref();
        child.channel?.unref();
      }
    },
  };
}

/** The child's side: messages from the parent, and an end when the parent is gone. */
export function serveParent(listener: (message: unknown) => void): (message: object) => void {
  process.on('message', listener);
  process.on('disconnect', () => process.exit(0));
  // NOTE: a message to a parent that has just died is lost, and 'disconnect' follows.
  return (message) => void process.send?.(message, undefined, {}, () => undefined);
}
