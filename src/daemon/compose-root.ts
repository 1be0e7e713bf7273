import { Agent } from '../agent/agent.ts';
import { AppError } from '../base/app-error.ts';
import type { Log } from '../base/log.ts';
import { Secret } from '../base/secret.ts';
import { programVersion } from '../base/version.ts';
import { type Failpoint, noFailpoint } from '../engine/container/failpoint.ts';
import { type CredentialSource, dockerCredentials, runCredentialHelper } from '../engine/image/registry-credentials.ts';
import type { Engine } from '../engine/engine.ts';
import { isRunRootInUse, openEngine } from '../engine/open-engine.ts';
import { createManager } from '../manager/manager.ts';
import { openStore } from '../manager/store/open-store.ts';
import { laptopLimits } from '../manager/store/store-limits.ts';
import { publishedIps } from '../model/published-ips.ts';
import { createNet } from '../net/create-net.ts';
import { lockDataDir } from '../os/data-dir-lock.ts';
import { ensureDir, writeFileDurable } from '../os/files.ts';
import { makeMemoryDir } from '../os/memory-dir.ts';
import { readMachineFacts } from '../os/node-facts.ts';
import { realClock } from '../os/real-clock.ts';
import { realRandom } from '../os/real-random.ts';
import { listenOnSocket } from '../os/socket-file.ts';
import { createApiServer } from '../wire/http-server.ts';
import { memorySession, type NodeFacts } from '../wire/session.ts';
import { containerRoutes } from './api/containers.ts';
import { execRoute } from './api/exec.ts';
import { imageRoutes } from './api/images.ts';
import { projectRoutes } from './api/projects.ts';
import { storeRoutes } from './api/store.ts';
import { systemRoutes } from './api/system.ts';
import type { DaemonConfig } from './config.ts';
import { instanceOf, nodeIdOf } from './identity.ts';
import { refreshHost } from './refresh-host.ts';
import { findContainer } from './summaries.ts';

/** `withContainers`: the machine goes down, so they end too. */
export type Daemon = { readonly close: (options: { readonly withContainers: boolean }) => Promise<void> };

/** Less than the time after which systemd kills what does not stop (90 s). */
const endMsMax = 60_000;
/** Some 60 KB a container, and its secrets. */
const runBytesMax = 1024 * 1024 * 1024;

/**
 * The one place where everything is made and joined: clock, dice, disk, kernel, store, manager, engine, network, agent, doors.
 * The order is that of need: what names and ports of running containers hang on comes before what answers commands.
 */
export async function startDaemon(options: { readonly config: DaemonConfig; readonly env: Readonly<Record<string, string | undefined>>; readonly log: Log; readonly onFatal: (error: AppError) => void }): Promise<Daemon> {
  const { config, log, env } = options;
  const [clock, random] = [realClock, realRandom];
  await ensureDir(config.rootDir, 0o711);
  await ensureDir(config.runDir, 0o711);
  // Before anything of it is touched: a daemon with another data directory takes what it finds there for its own leftovers.
  const unlockRun = lockDataDir(config.runDir, 'run directory');
  const instance = instanceOf(config.rootDir);
  const machine = readMachineFacts(env['FLOTILLA_BOOT_ID']);
  const store = await openStore({
    dir: `${config.rootDir}/store`, clock, random, log, limits: laptopLimits, address: '', begin: { kind: 'first' }, connect: null, unlockKey: unlockKeyOf(env), isSmall: true, onFatal: options.onFatal,
  });
  // NOTE: both directories are locked now: nobody else is at work here.
  const engineRun = `${config.runDir}/engine`;
  const notInMemory = makeMemoryDir(engineRun, { mode: 0o711, sizeBytesMax: runBytesMax, isInUse: () => isRunRootInUse(engineRun, machine.bootId) });
  if (notInMemory !== null) log.info('daemon.run-dir-on-disk', { dir: config.runDir, error: notInMemory });
  const net = createNet({ instanceId: instance, runRoot: config.runDir, clock, log });
  const [engine, nodeId, hostSubnets] = await Promise.all([
    openEngine({
      dataRoot: `${config.rootDir}/engine`, runRoot: engineRun, cgroupParent: `/flotilla-${instance}`, registries: config.registries,
      runtime: 'auto', credentials: credentialsOf(env), clock, random, log, failpoint: failpointOf(env['FLOTILLA_FAILPOINT']), bootId: machine.bootId,
    }),
    nodeIdOf(config.rootDir, random),
    net.hostSubnets(),
  ]);
  const facts: NodeFacts = {
    nodeId, hostname: machine.hostname, os: machine.os, architecture: machine.architecture, cpuCount: machine.cpuCount, memoryBytes: machine.memoryBytes,
    daemonVersion: programVersion, bootId: machine.bootId, hostSubnets,
  };
  const manager = createManager({ store, clock, random, log, addressPools: config.addressPools });
  const session = memorySession(queueMicrotask);
  manager.connectAgent(session.manager);
  const agent = await Agent.start({
    engine, net, clock, random, log, session: session.agent, facts, defer: (callback) => void setImmediate(callback),
    hostResolvConf: machine.resolvConf, hostsFileOfHost: machine.hostsFile, onPull: () => undefined,
    dataDir: `${config.rootDir}/agent`, runDir: `${config.runDir}/agent`,
  });
  const { control, queries } = manager;
  const ports = portsOf(queries);
  const server = createApiServer({
    log,
    routes: [
      ...systemRoutes({ engine, net, queries, facts, storeStatus: () => store.status(), proxies: config.registries.proxies }),
      ...storeRoutes(store),
      ...imageRoutes(engine),
      ...containerRoutes({ engine, queries, ports, removeTask: control.removeTask }),
      ...projectRoutes({ control, queries, engine, clock, preflight: { engine, net, queries }, refreshHost: () => refreshHost({ agent, queries, clock, nodeId }) }),
    ],
    upgrades: [execRoute(engine, (reference) => findContainer(engine, reference).id)],
  });
  const socket = await listenOnSocket(config.socketPath, (path) => server.listen({ path }));
  await writeFileDurable(`${config.runDir}/daemon.pid`, `${process.pid}\n`, 0o644);
  log.info('daemon.ready', { socket: config.socketPath, node: nodeId, runtime: engine.info().runtime });
  return {
    close: async ({ withContainers }) => {
      await server.close();
      socket.release();
      await agent.close();
      await manager.close();
      // NOTE: nobody is told of these ends any more, so that the boot finds them as running as they were, and brings them back.
      if (withContainers) await Promise.race([endAll(engine), clock.sleep(endMsMax, new AbortController().signal)]);
      await net.close();
      await engine.close();
      // NOTE: before the store's, which whoever is to follow waits for.
      unlockRun();
      await store.close();
      log.info('daemon.closed');
    },
  };
}

/** Each by its own signal and with its own grace: what systemd does at the very end knows neither, and waits for who is deaf to SIGTERM. */
async function endAll(engine: Engine): Promise<void> {
  await Promise.allSettled(engine.containers.list().map((one) => engine.containers.stop(one.id, {})));
}

/** For a store that is locked. Only this process has it: children get an environment of their own. */
function unlockKeyOf(env: Readonly<Record<string, string | undefined>>): Secret | null {
  const given = env['FLOTILLA_UNLOCK_KEY'] ?? '';
  return given === '' ? null : new Secret(given);
}

/** Docker's config.json of the user that the daemon runs as. */
function credentialsOf(env: Readonly<Record<string, string | undefined>>): CredentialSource {
  const dir = env['DOCKER_CONFIG'] ?? `${env['HOME'] ?? '/root'}/.docker`;
  return dockerCredentials(`${dir}/config.json`, runCredentialHelper);
}

/** For tests of crashes: the process ends at once when it comes by a step of this name. */
function failpointOf(name: string | undefined): Failpoint {
  if (name === undefined) return noFailpoint;
  return (step) => {
    if (step === name) process.kill(process.pid, 'SIGKILL');
  };
}

function portsOf(queries: ReturnType<typeof createManager>['queries']): (containerId: string) => { hostIp: string | null; hostPort: number | null; containerPort: number; protocol: string }[] {
  return (containerId) => {
    const task = queries.tasks(null).find((one) => one.containerId === containerId);
    const hasIp6 = task?.attachments.some((one) => one.ip6 !== null) ?? false;
    return (task?.ports ?? []).flatMap((port) => publishedIps(port, hasIp6).map((hostIp) => ({ hostIp, hostPort: port.hostPort, containerPort: port.containerPort, protocol: port.protocol })));
  };
}
