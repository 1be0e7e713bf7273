import { openEtcdClientDoor } from './etcd-client-door.ts';
import { openEtcdDoor } from './etcd-door.ts';
import { openOurDoor } from './our-door.ts';

/** A connection that takes writes; `put` queues, `flush` sends what is queued. */
export type Door = {
  readonly put: (key: string, value: string, done: (error: string | null) => void) => void;
  readonly flush: () => void;
  readonly close: () => void;
};

/** `etcd` by the bare client, `etcd3` by the package, which is in `clientFolder`. */
export type LoadKind = 'ours' | 'etcd' | 'etcd3';
export type LoadSetup = { readonly kind: LoadKind; readonly clientFolder?: string; readonly target: string; readonly clients: number; readonly warmMs: number; readonly runMs: number };
export type LoadResult = { readonly perSecond: number; readonly p50Us: number; readonly p99Us: number; readonly failed: number };

export function openDoor(kind: LoadKind, target: string, clientFolder = ''): Promise<Door> {
  if (kind === 'etcd3') return openEtcdClientDoor(target, clientFolder);
  return kind === 'ours' ? openOurDoor(target) : openEtcdDoor(target);
}

/** Each client has one write under way; sixteen clients share a connection, as in a client library. Keys: a hundred for each client. */
export async function load(setup: LoadSetup): Promise<LoadResult> {
  const doors = await Promise.all(Array.from({ length: Math.ceil(setup.clients / 16) }, () => openDoor(setup.kind, setup.target, setup.clientFolder)));
  const value = 'v'.repeat(256);
  const timesUs: number[] = [];
  let isMeasuring = false;
  let isOver = false;
  let failed = 0;
  let running = setup.clients;
  let drained = (): void => undefined;
  const client = (number: number): void => {
    const door = doors[number % doors.length];
    let count = 0;
    let beganMs = 0;
    const next = (): void => {
      beganMs = performance.now();
      count += 1;
      door?.put(`client-${number}-${count % 100}`, value, done);
    };
    const done = (error: string | null): void => {
      if (error !== null) failed += 1;
      else if (isMeasuring) timesUs.push((performance.now() - beganMs) * 1000);
      if (!isOver && error !== 'LOST') next();
      else if ((running -= 1) === 0) drained();
    };
    next();
  };
  for (let number = 0; number < setup.clients; number += 1) client(number);
  for (const door of doors) door.flush();
  await pause(setup.warmMs);
  isMeasuring = true;
  const began = performance.now();
  await pause(setup.runMs);
  isMeasuring = false;
  isOver = true;
  const seconds = (performance.now() - began) / 1000;
  if (running > 0) await new Promise<void>((resolve) => void (drained = resolve));
  for (const door of doors) door.close();
  const sorted = Float64Array.from(timesUs).sort();
  return { perSecond: timesUs.length / seconds, p50Us: sorted[sorted.length >> 1] ?? 0, p99Us: sorted[Math.floor(sorted.length * 0.99)] ?? 0, failed };
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (process.argv[1] === import.meta.filename) {
  process.stdout.write(`${JSON.stringify(await load(JSON.parse(process.argv[2] ?? '{}')))}\n`);
  process.exit(0);
}
