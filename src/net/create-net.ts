import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { AppError } from '../base/app-error.ts';
import { cidrContains, formatIp, parseCidr, parseIp } from '../base/cidr.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { NodeNetworkState } from '../model/node-network.ts';
import { netlinkFamily, openNetlink } from '../os/netlink-socket.ts';
import { canAdministerNetwork, createNetworkNamespace, isNetworkNamespace, listNetworkNamespaces, removeNetworkNamespace } from '../os/netns.ts';
import { checkState } from './checked-state.ts';
import type { CheckedPort, CheckedState } from './checked-state.ts';
import { createDnsServer } from './dns/server.ts';
import { createFilter } from './filter.ts';
import { createForwarding } from './forwarding.ts';
import { hostResolvers } from './host-resolvers.ts';
import { prepareNamespace } from './inner-links.ts';
import { kernelNames } from './link-names.ts';
import { endpointOfAlias } from './link-rules.ts';
import { createLinks } from './links.ts';
import type { Net } from './net.ts';
import { createPortKeeper } from './port-keeper.ts';
import { aliveEndpoints, kernelPart, reconcile, serveNames } from './reconcile.ts';
import type { NetParts } from './reconcile.ts';

export type NetOptions = {
  /** Of this data directory: all names in the kernel come from it, so several daemons can live on one host. */
  readonly instanceId: string;
  /** Where the namespaces' files live: a folder that a reboot may empty. */
  readonly runRoot: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Other than 53 in tests only. */
  readonly upstreamPort?: number;
};

/** A look at nftables' count of changes costs 20 µs; a look at everything some milliseconds, so it comes with every 15th only. */
const auditMs = 2000;
const auditsPerFull = 15;

/** The network in the kernel of the namespace that the program runs in. Errors: NET_NOT_PERMITTED without the right to change it. */
export function createNet(options: NetOptions): Net {
  if (!canAdministerNetwork()) {
    throw new AppError({ code: 'NET_NOT_PERMITTED', message: 'the network of containers can only be made by root (CAP_NET_ADMIN and CAP_SYS_ADMIN)', hint: 'run the daemon with sudo' });
  }
  const { clock, log } = options;
  const names = kernelNames(options.instanceId);
  const folder = join(options.runRoot, 'netns');
  const pathOf = (endpointId: string): string => join(folder, checkedId(endpointId));
  const links = createLinks(names);
  const filter = createFilter(names);
  const flows = openNetlink(netlinkFamily.netfilter);
  const forwarding = createForwarding(options.runRoot);
  const ports = createPortKeeper();
  const resolvers = hostResolvers(clock);
  const dns = createDnsServer({ clock, log, hostResolvers: resolvers, ...(options.upstreamPort === undefined ? {} : { upstreamPort: options.upstreamPort }) });
  const queue = createQueue();
  /** What is wished, and the hash of what the kernel was last made equal to: '' after a failure half-way. */
  let force: CheckedState | null = null;
  let stateHash = '';
  /** The kernel's part of the last state that was applied whole; null after a failure or a repair. */
  let kernelInForce: string | null = null;
  let repairs = 0;

  const parts: NetParts = { names, links, filter, flows, forwarding, ports, dns, pathOf };

  const repair = async (): Promise<void> => {
    if (force === null) return;
    kernelInForce = null;
    const { changes } = await reconcile(parts, force);
    if (changes > 0) log.warn('net.repaired', { changes });
    repairs += changes;
  };
  const stopAudit = startAudit(clock, (isFull) => {
    queue(async () => (isFull || !filter.isUntouched() ? repair() : undefined)).catch((error: unknown) => log.error('net.audit', { error: String(error) }));
  });

  const removals = createBatcher(async (endpointIds) => {
    const gone = new Set(endpointIds);
    await links.remove(links.list().filter((link) => gone.has(endpointOfAlias(link.alias) ?? '')).map((link) => link.index));
  });
  const close = async (): Promise<void> => {
    stopAudit();
    await queue(() => dns.close());
    await removals.idle();
    ports.close();
    for (const one of [links, filter, flows]) one.close();
  };

  return {
    createNamespace: (endpointId) => promised(() => ensureNamespace(endpointId, pathOf(endpointId))),
    removeNamespace: async (endpointId) => {
      removeNetworkNamespace(pathOf(endpointId));
      await removals.add(endpointId);
    },
    listNamespaces: () => promised(() => listNetworkNamespaces(folder)),
    apply: (wished) =>
      queue(async () => {
        const state = checkState(wished);
        const alive = aliveEndpoints(parts, wished);
        const kernel = kernelPart(wished, alive);
        // The usual change, a container that begins or ends, is one of names: the kernel need not be asked.
        if (kernel === kernelInForce && filter.isUntouched()) {
          serveNames(parts, state, alive);
          [force, stateHash] = [state, hashOf(wished)];
          return;
        }
        if (force !== null && !filter.isUntouched()) await repair();
        force = state;
        stateHash = '';
        kernelInForce = null;
        const { refused } = await reconcile(parts, state);
        stateHash = hashOf(wished);
        if (refused.length > 0) throw severalErrors(refused);
        // NOTE: a namespace may have gone while we waited.
        if (kernelPart(wished, aliveEndpoints(parts, wished)) === kernel) kernelInForce = kernel;
      }),
    checkPortsFree: (list) =>
      promised(() => {
        for (const one of list) ports.check({ hostIp: checkedIp(one.hostIp), hostPort: one.port, protocol: one.protocol });
      }),
    hostSubnets: async () => {
      const resolverNets = (await resolvers()).map((ip) => `${formatIp(ip)}/${ip.family === 4 ? 32 : 128}`);
      return outermost([...links.foreignSubnets(), ...resolverNets]);
    },
    status: () => ({ stateHash, repairs }),
    close,
    purge: async () => {
      force = null;
      stateHash = '';
      stopAudit();
      await queue(async () => {
        for (const name of listNetworkNamespaces(folder)) removeNetworkNamespace(join(folder, name));
        await links.purge();
        await forwarding.close(filter.guardedByOthers);
        filter.purge();
      });
      await close();
    },
  };
}

/** Calls `look` now and again, at times for a full look; the answer stops it. */
function startAudit(clock: Clock, look: (isFull: boolean) => void): () => void {
  let stop = (): void => undefined;
  const next = (count: number): void => {
    stop = clock.after(auditMs, () => {
      look(count % auditsPerFull === 0);
      next(count + 1);
    }, true);
  };
  next(1);
  return () => stop();
}

function ensureNamespace(endpointId: string, path: string): { readonly path: string; readonly isNew: boolean } {
  if (isNetworkNamespace(path)) return { path, isNew: false };
  removeNetworkNamespace(path);
  try {
    createNetworkNamespace(path, prepareNamespace);
  } catch (cause) {
    throw new AppError({ code: 'NET_NAMESPACE', message: `the network namespace of ${endpointId} could not be made: ${String(cause)}`, cause });
  }
  return { path, isNew: true };
}

/** One after the other; a failure is its caller's and stops nobody else. */
function createQueue(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work, work);
    last = result.catch(() => undefined);
    return result;
  };
}

/** Gathers what comes while a run is under way into the next run: many links removed together cost as much as one. */
function createBatcher(run: (items: readonly string[]) => Promise<void>): { readonly add: (item: string) => Promise<void>; readonly idle: () => Promise<void> } {
  let waiting: string[] = [];
  let next: Promise<void> | null = null;
  let current: Promise<unknown> = Promise.resolve();
  const add = (item: string): Promise<void> => {
    waiting.push(item);
    next ??= current.then(() => {
      const items = waiting;
      waiting = [];
      next = null;
      const done = run(items);
      current = done.catch(() => undefined);
      return done;
    });
    return next;
  };
  return {
    add,
    idle: async () => {
      await next?.catch(() => undefined);
      await current;
    },
  };
}

/** Synchronous work under an interface of promises: its errors are rejections. */
async function promised<T>(work: () => T): Promise<T> {
  return work();
}

function severalErrors(errors: readonly AppError[]): AppError {
  const [first, ...rest] = errors;
  if (first === undefined || rest.length === 0) return first ?? new AppError({ code: 'BASE_INTERNAL', message: 'no error' });
  return new AppError({ code: first.code, message: errors.map((one) => one.message).join('; '), hint: first.hint });
}

/** Without those that lie in another: the routes to another instance's containers come and go, its networks stay. */
function outermost(subnets: readonly string[]): string[] {
  const all = [...new Set(subnets)].sort().flatMap((text) => {
    const cidr = parseCidr(text);
    return cidr === null ? [] : [{ text, cidr }];
  });
  return all.filter((one) => !all.some((other) => other.cidr.prefix < one.cidr.prefix && cidrContains(other.cidr, one.cidr))).map((one) => one.text);
}

function hashOf(state: NodeNetworkState): string {
  return createHash('sha256').update(JSON.stringify(state)).digest('hex');
}

function checkedId(endpointId: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(endpointId)) throw new AppError({ code: 'NET_BAD_STATE', message: `${JSON.stringify(endpointId)} is no endpoint's id` });
  return endpointId;
}

function checkedIp(text: string): CheckedPort['hostIp'] {
  const ip = parseIp(text);
  if (ip === null) throw new AppError({ code: 'NET_BAD_STATE', message: `${JSON.stringify(text)} is no address of a host` });
  return ip;
}
