import { afterAll, beforeAll, expect } from 'vitest';
import { type OwnImages, ownImages } from './own-images.ts';
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

/** Images of the file's own, beside a world. */
export function useOwnImages(take: (images: OwnImages) => void): void {
  let made: OwnImages | undefined;
  beforeAll(async () => {
    made = await ownImages();
    take(made);
  }, 60_000);
  afterAll(() => made?.close());
}
