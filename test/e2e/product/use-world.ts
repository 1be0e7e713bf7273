import { afterAll, beforeAll, expect } from 'vitest';
import { makeWorld, type World } from './world.ts';

/** One world for all tests of a file, made before the first; after the last nothing of it may be left. */
export function useWorld(take: (world: World) => void, timeoutMs: number = 60_000): void {
  let made: World | undefined;
  beforeAll(async () => {
    made = await makeWorld();
    take(made);
  }, timeoutMs);
  afterAll(async () => {
    expect(await made?.close()).toEqual([]);
  }, timeoutMs);
}
