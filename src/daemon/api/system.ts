import { programVersion } from '../../base/version.ts';
import { type ProxySettings, readProxy } from '../../engine/image/proxy-rules.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Queries } from '../../manager/queries.ts';
import { AppError } from '../../base/app-error.ts';
import type { Net } from '../../net/net.ts';
import type { NodeFacts } from '../../wire/session.ts';
import type { Route } from '../../wire/http-server.ts';
import { networkOverlaps } from '../network-overlaps.ts';

export function systemRoutes(options: { readonly engine: Engine; readonly net: Net; readonly queries: Queries; readonly facts: NodeFacts; readonly storeStatus: () => unknown; readonly proxies: ProxySettings }): readonly Route[] {
  const { engine, queries, facts } = options;
  const json = (value: unknown): { kind: 'json'; value: unknown } => ({ kind: 'json', value });
  return [
    { method: 'GET', path: '/v1/ping', handle: async () => json('pong') },
    { method: 'GET', path: '/v1/version', handle: async () => json({ Version: programVersion, NodeVersion: process.version, Arch: facts.architecture, Os: facts.os }) },
    { method: 'GET', path: '/v1/store', handle: async () => json(options.storeStatus()) },
    {
      method: 'GET',
      path: '/v1/info',
      handle: async () => {
        const containers = engine.containers.list();
        const count = (state: string): number => containers.filter((one) => one.state === state).length;
        const info = engine.info();
        return json({
          Name: facts.hostname, NodeID: facts.nodeId, ServerVersion: programVersion, OSType: facts.os, Architecture: facts.architecture, NCPU: facts.cpuCount, MemTotal: facts.memoryBytes,
          Runtime: `${info.runtime} ${info.runtimeVersion}`, Monitor: info.monitorVersion, CgroupVersion: info.cgroupVersion, Driver: info.snapshotter, DataRoot: info.dataRoot,
          Containers: containers.length, ContainersRunning: count('running'), ContainersPaused: count('paused'), ContainersStopped: count('exited') + count('created'),
          Images: (await engine.images.list()).length, Projects: queries.projects().length, Network: options.net.status(), ...proxiesOf(options.proxies), MemoryUsage: process.memoryUsage().rss, DaemonPid: process.pid,
        });
      },
    },
    {
      method: 'GET',
      path: '/v1/volumes/:name',
      handle: async ({ params }) => {
        const volume = await engine.volumes.get(params['name'] ?? '');
        if (volume === null) throw new AppError({ code: 'DAEMON_VOLUME_NOT_FOUND', message: `no such volume: ${params['name'] ?? ''}` });
        return json({ Name: volume.name, Driver: 'local', Mountpoint: volume.mountpoint, Labels: volume.labels, Options: volume.options, CreatedAt: new Date(volume.createdMs).toISOString(), Scope: 'local' });
      },
    },
    { method: 'GET', path: '/v1/volumes', handle: async () => json(await engine.volumes.list()) },
    { method: 'GET', path: '/v1/network-overlaps', handle: async () => json(networkOverlaps(queries.networks(null), await options.net.hostSubnets())) },
    { method: 'GET', path: '/v1/networks', handle: async () => json(queries.networks(null)) },
    {
      method: 'GET',
      path: '/v1/networks/:name',
      handle: async ({ params }) => {
        const name = params['name'] ?? '';
        const network = queries.networks(null).find((one) => one.id === name || one.name === name);
        if (network === undefined) throw new AppError({ code: 'DAEMON_NETWORK_NOT_FOUND', message: `no such network: ${name}` });
        return json({ Name: network.name, Id: network.id, Driver: network.driver, Internal: network.isInternal, Labels: network.labels, IPAM: { Config: [{ Subnet: network.subnet, Gateway: network.gateway }] }, Options: network.options });
      },
    },
  ];
}

/** As `docker info` has them, without credentials; those that are not set are left out. */
function proxiesOf({ httpProxy, httpsProxy, noProxy }: ProxySettings): Readonly<Record<string, string>> {
  const named = { HttpProxy: httpProxy.reveal(), HttpsProxy: httpsProxy.reveal() };
  const set = Object.entries(named).filter(([, text]) => text !== '').map(([name, text]) => [name, readProxy(text).name]);
  return { ...Object.fromEntries(set), ...(set.length === 0 || noProxy === '' ? {} : { NoProxy: noProxy }) };
}
