import { describe } from 'vitest';
import { fakeEngine } from '../fakes/fake-engine.ts';
import { engineContract } from './contract.ts';
import { plainSpec } from './plain-spec.ts';

describe('the fake engine keeps the contract', () => {
  const engine = fakeEngine({ clock: { nowMs: () => 1_700_000_000_000 } });
  engine.addImage('busybox');
  let count = 0;
  engineContract({ engine: () => engine, spec: (more) => plainSpec({ name: `contract-${(count += 1)}`, ...more }) });
});
