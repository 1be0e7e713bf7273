import type { AppError } from '../base/app-error.ts';
import type { ApiClient } from '../wire/http-client.ts';

/** What a command gets of the process around it; tests give their own. */
export type CliContext = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly out: Output;
  readonly err: Output;
  /** Answers a client of the running daemon, started first if none runs. */
  readonly daemon: () => Promise<ApiClient>;
  /** As `daemon`, but null where none runs: for commands that need not start one. */
  readonly daemonIfRunning: () => Promise<ApiClient | null>;
  /** Called at each SIGINT or SIGTERM; the answer unsubscribes. Without a listener the process ends with 130. */
  readonly onInterrupt: (listener: () => void) => () => void;
  readonly stdin: NodeJS.ReadStream;
  readonly nowMs: () => number;
  /** How errors and findings are told; settled by `--progress` and `--ansi` before the command runs. */
  readonly messages: { isJson: boolean; isColoured: boolean };
};

export type Output = { readonly write: (text: string | Uint8Array) => void; readonly isTty: boolean; readonly columns: () => number; readonly rows: () => number };

/** Ends a command with this exit code: one that is not that of an error, or is so by another's rules. */
export class ExitWith extends Error {
  readonly exitCode: number;
  /** What to say before. */
  readonly reason: AppError | undefined;

  constructor(exitCode: number, reason?: AppError) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
    this.reason = reason;
  }
}
