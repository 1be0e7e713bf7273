import { afterAll, beforeAll, describe } from 'vitest';
import { engineContract } from '../../engine/contract.ts';
import { dropRoots, newRoots, openTestEngine, specOf } from './setup.ts';
import type { TestRoots } from './setup.ts';

describe('the real engine keeps the contract', () => {
  let roots: TestRoots;
  let engine: Awaited<ReturnType<typeof openTestEngine>>;
  beforeAll(async () => {
    roots = newRoots();
    engine = await openTestEngine(roots);
  });
  afterAll(() => {
    engine.containers.close();
    dropRoots(roots);
  });
  engineContract({ engine: () => engine, spec: specOf });
});
