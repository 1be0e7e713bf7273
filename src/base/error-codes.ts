import { agentCodes } from './codes/agent.ts';
import { baseCodes } from './codes/base.ts';
import { cliCodes } from './codes/cli.ts';
import { clusterCodes } from './codes/cluster.ts';
import { daemonCodes } from './codes/daemon.ts';
import { engineCodes } from './codes/engine.ts';
import { graphCodes } from './codes/graph.ts';
import { managerCodes } from './codes/manager.ts';
import { netCodes } from './codes/net.ts';
import { osCodes } from './codes/os.ts';
import { raftCodes } from './codes/raft.ts';
import { specCodes } from './codes/spec.ts';
import { wireCodes } from './codes/wire.ts';

/** Every code the program can print, each with a line that says what it means. Released codes never change meaning. */
export const errorCodes = {
  ...baseCodes,
  ...specCodes,
  ...graphCodes,
  ...clusterCodes,
  ...raftCodes,
  ...osCodes,
  ...wireCodes,
  ...netCodes,
  ...engineCodes,
  ...managerCodes,
  ...agentCodes,
  ...daemonCodes,
  ...cliCodes,
} as const;

export type ErrorCode = keyof typeof errorCodes;

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text);
}
