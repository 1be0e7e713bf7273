// The network's part of a daemon, as a process that can be killed: applies the states it reads, one JSON line each.
import { createInterface } from 'node:readline';
import { silentLog } from '../../../src/base/log.ts';
import type { NodeNetworkState } from '../../../src/model/node-network.ts';
import { createNet } from '../../../src/net/create-net.ts';
import { realClock } from '../../../src/os/real-clock.ts';

const [runRoot = '', instanceId = ''] = process.argv.slice(2);
const net = createNet({ instanceId, runRoot, clock: realClock, log: silentLog });
for await (const line of createInterface({ input: process.stdin })) {
  const state: NodeNetworkState = JSON.parse(line);
  const wanted = new Set(state.endpoints.map((one) => one.id));
  await Promise.all((await net.listNamespaces()).filter((id) => !wanted.has(id)).map((id) => net.removeNamespace(id)));
  for (const one of wanted) await net.createNamespace(one);
  await net.apply(state);
  process.stdout.write(`${JSON.stringify(net.status())}\n`);
}
