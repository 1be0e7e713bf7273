import { createHash } from 'node:crypto';
import { AppError } from '../../src/base/app-error.ts';
import type { NodeNetworkState } from '../../src/model/node-network.ts';
import { checkState } from '../../src/net/checked-state.ts';
import type { Net } from '../../src/net/net.ts';

/** A network without a kernel, held to the same contract as the real one (test/net/contract.ts). */
export type FakeNet = Net & {
  /** The state in force; null before the first apply and after a purge. */
  readonly state: () => NodeNetworkState | null;
  /** Every state that was applied, oldest first. */
  readonly applied: () => readonly NodeNetworkState[];
  /** Lets another program hold a port: `tcp 8080`. */
  readonly holdPort: (port: { readonly port: number; readonly protocol: 'tcp' | 'udp' }) => void;
  readonly releasePort: (port: { readonly port: number; readonly protocol: 'tcp' | 'udp' }) => void;
  /** The next apply fails with this error, once. */
  readonly failNextApply: (error: AppError) => void;
};

export function createFakeNet(options: { readonly hostSubnets?: readonly string[] } = {}): FakeNet {
  const namespaces = new Set<string>();
  const foreign = new Set<string>();
  const applied: NodeNetworkState[] = [];
  let state: NodeNetworkState | null = null;
  let failure: AppError | null = null;
  const key = (port: { readonly port: number; readonly protocol: string }): string => `${port.protocol} ${port.port}`;
  const inUse = (port: { readonly port: number; readonly protocol: string }): AppError =>
    new AppError({ code: 'NET_PORT_IN_USE', message: `port ${port.port}/${port.protocol} on 0.0.0.0 is in use by another (pid 1)` });
  const pathOf = (endpointId: string): string => {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(endpointId)) throw new AppError({ code: 'NET_BAD_STATE', message: `${JSON.stringify(endpointId)} is no endpoint's id` });
    return `/fake/netns/${endpointId}`;
  };
  return {
    createNamespace: async (endpointId) => {
      const path = pathOf(endpointId);
      const isNew = !namespaces.has(endpointId);
      namespaces.add(endpointId);
      return { path, isNew };
    },
    removeNamespace: async (endpointId) => {
      pathOf(endpointId);
      namespaces.delete(endpointId);
    },
    listNamespaces: async () => [...namespaces].sort(),
    apply: async (wished) => {
      checkState(wished);
      if (failure !== null) {
        const error = failure;
        failure = null;
        throw error;
      }
      state = wished;
      applied.push(wished);
      const taken = wished.publishedPorts.find((one) => foreign.has(key({ port: one.hostPort, protocol: one.protocol })));
      if (taken !== undefined) throw inUse({ port: taken.hostPort, protocol: taken.protocol });
    },
    checkPortsFree: async (ports) => {
      const held = new Set(state?.publishedPorts.map((one) => key({ port: one.hostPort, protocol: one.protocol })) ?? []);
      const taken = ports.find((one) => foreign.has(key(one)) && !held.has(key(one)));
      if (taken !== undefined) throw inUse(taken);
    },
    hostSubnets: async () => options.hostSubnets ?? [],
    status: () => ({ stateHash: state === null ? '' : createHash('sha256').update(JSON.stringify(state)).digest('hex'), repairs: 0 }),
    close: async () => undefined,
    purge: async () => {
      namespaces.clear();
      state = null;
    },
    state: () => state,
    applied: () => applied,
    holdPort: (port) => void foreign.add(key(port)),
    releasePort: (port) => void foreign.delete(key(port)),
    failNextApply: (error) => {
      failure = error;
    },
  };
}
