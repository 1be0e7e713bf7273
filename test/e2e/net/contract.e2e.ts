import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll } from 'vitest';
import { netContract } from '../../net/contract.ts';
import { openLab } from './lab.ts';
import type { Lab } from './lab.ts';

let lab: Lab;
beforeAll(() => {
  lab = openLab();
});
afterAll(() => lab.clean());

netContract('the kernel', () => ({
  newNet: () => lab.newNet('contract'),
  takePort: async (port) => {
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    return async () => {
      server.close();
      await once(server, 'close');
    };
  },
}));
