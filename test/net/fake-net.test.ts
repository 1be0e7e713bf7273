import { createFakeNet } from '../fakes/fake-net.ts';
import type { FakeNet } from '../fakes/fake-net.ts';
import { netContract } from './contract.ts';

let last: FakeNet = createFakeNet();

netContract('the fake', () => ({
  newNet: () => {
    last = createFakeNet();
    return last;
  },
  takePort: async (port) => {
    last.holdPort({ port, protocol: 'tcp' });
    return async () => last.releasePort({ port, protocol: 'tcp' });
  },
}));
