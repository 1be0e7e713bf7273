import type { AgentReport, Assignment } from '../model/assignment.ts';

/** What a node says of itself when its session begins. */
export type NodeFacts = {
  readonly nodeId: string;
  readonly hostname: string;
  readonly os: string;
  readonly architecture: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly daemonVersion: string;
  readonly bootId: string;
  readonly hostSubnets: readonly string[];
};

export type ManagerMessage = { readonly kind: 'assignment'; readonly assignment: Assignment };
export type AgentMessage =
  | { readonly kind: 'hello'; readonly facts: NodeFacts }
  | { readonly kind: 'report'; readonly report: AgentReport };

/** One end of a session: ordered, typed, two ways. Messages of one end are delivered in order, never while the sender is still running. */
export type SessionEnd<Sent, Received> = {
  readonly send: (message: Sent) => void;
  /** One listener; what came before it was set is kept for it. */
  readonly onMessage: (listener: (message: Received) => void) => void;
  readonly onClose: (listener: () => void) => void;
  readonly close: () => void;
};
export type AgentEnd = SessionEnd<AgentMessage, ManagerMessage>;
export type ManagerEnd = SessionEnd<ManagerMessage, AgentMessage>;

/** The twin in memory, for a manager and an agent in one process. `defer` runs a callback after the current one, as queueMicrotask does. */
export function memorySession(defer: (callback: () => void) => void): { readonly agent: AgentEnd; readonly manager: ManagerEnd } {
  const toAgent = mailbox<ManagerMessage>(defer);
  const toManager = mailbox<AgentMessage>(defer);
  const closers: (() => void)[] = [];
  let isClosed = false;
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    defer(() => {
      for (const closer of closers) closer();
    });
  };
  const shared = { onClose: (listener: () => void) => void closers.push(listener), close };
  return {
    agent: { send: (message) => isClosed || toManager.put(message), onMessage: toAgent.listen, ...shared },
    manager: { send: (message) => isClosed || toAgent.put(message), onMessage: toManager.listen, ...shared },
  };
}

function mailbox<T>(defer: (callback: () => void) => void): { put: (message: T) => void; listen: (listener: (message: T) => void) => void } {
  const queue: T[] = [];
  let listener: ((message: T) => void) | null = null;
  let isScheduled = false;
  const drain = (): void => {
    isScheduled = false;
    for (let message = queue.shift(); message !== undefined && listener !== null; message = queue.shift()) listener(message);
  };
  const schedule = (): void => {
    if (isScheduled || listener === null || queue.length === 0) return;
    isScheduled = true;
    defer(drain);
  };
  return {
    put: (message) => {
      queue.push(message);
      schedule();
    },
    listen: (next) => {
      listener = next;
      schedule();
    },
  };
}
