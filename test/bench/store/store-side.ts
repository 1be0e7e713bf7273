import type { ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';

/** A store under load: one member or three, ours or the peer's. */
export type StoreSide = {
  readonly kind: 'ours' | 'etcd';
  readonly members: readonly StoreMember[];
  /** The member that leads; waits until there is one. */
  readonly leader: () => Promise<StoreMember>;
  readonly close: () => Promise<void>;
};

/** `target`: what a door is opened with. */
export type StoreMember = { readonly target: string; readonly kill: () => Promise<void>; readonly restart: () => Promise<void> };

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => new Promise<ReturnType<typeof createServer>>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
  })));
  return Promise.all(servers.map((server) => new Promise<number>((resolve) => {
    const address = server.address();
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
  })));
}

export async function until<T>(what: string, ask: () => Promise<T | null>, timeoutMs = 30_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask().catch(() => null);
    if (answer !== null) return answer;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function end(child: ChildProcess | null, signal: NodeJS.Signals): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}
