import type { Duplex } from 'node:stream';
import { AppError } from '../base/app-error.ts';
import { rawTerminal } from '../os/raw-terminal.ts';
import { encodeFrame, frameReader, frameTypes } from '../wire/frames.ts';
import { type ApiClient, errorFrom } from '../wire/http-client.ts';
import { type CliContext, ExitWith } from './context.ts';

export type ExecCall = {
  readonly client: ApiClient;
  readonly context: CliContext;
  readonly containerId: string;
  readonly argv: readonly string[];
  readonly isTty: boolean;
  readonly isInteractive: boolean;
  readonly isDetached: boolean;
  /** `NAME=value`, or `NAME` to pass the caller's. */
  readonly environment: readonly string[];
  readonly user: string | null;
  readonly workingDir: string | null;
  readonly isPrivileged: boolean;
};

/** Runs a command in a container with the caller's terminal or pipes; ends with the command's exit code. */
export async function execIn(call: ExecCall): Promise<void> {
  const { context } = call;
  const options = {
    argv: call.argv, tty: call.isTty, stdin: call.isInteractive && !call.isDetached, environment: environmentOf(call), user: call.user,
    workingDir: call.workingDir, privileged: call.isPrivileged, detach: call.isDetached,
  };
  const { socket, head } = await call.client.upgrade(`/v1/containers/${call.containerId}/exec?options=${encodeURIComponent(JSON.stringify(options))}`);
  const isRaw = call.isTty && context.stdin.isTTY === true;
  const release = call.isDetached ? () => undefined : connectInput(call, socket, isRaw);
  try {
    const end = await new Promise<ExitWith>((resolve, reject) => {
      const read = frameReader((frame) => {
        if (frame.type === frameTypes.stdout) context.out.write(frame.payload);
        else if (frame.type === frameTypes.stderr) context.err.write(frame.payload);
        else if (frame.type === frameTypes.exit) {
          const end: unknown = JSON.parse(Buffer.from(frame.payload).toString('utf8'));
          if (typeof end === 'object' && end !== null && 'exitCode' in end && typeof end.exitCode === 'number') resolve(new ExitWith(end.exitCode, 'error' in end ? errorFrom(end) : undefined));
          else reject(errorFrom(end));
        }
      });
      read(head);
      socket.on('data', (chunk: Uint8Array) => void (read(chunk) || socket.destroy()));
      socket.on('error', reject);
      socket.on('close', () => reject(new AppError({ code: 'WIRE_LOST', message: 'the daemon ended before the command did' })));
      socket.resume();
    });
    socket.end();
    throw end;
  } finally {
    release();
  }
}

function connectInput(call: ExecCall, socket: Duplex, isRaw: boolean): () => void {
  const { context } = call;
  const { stdin } = context;
  if (!call.isInteractive) return () => undefined;
  const restore = isRaw ? rawTerminal(0) : () => undefined;
  const onData = (chunk: Buffer): void => void socket.write(encodeFrame(frameTypes.stdin, chunk));
  const onEnd = (): void => void socket.write(encodeFrame(frameTypes.endInput, new Uint8Array(0)));
  const resize = (): void => {
    const size = JSON.stringify({ columns: context.out.columns(), rows: process.stdout.rows ?? 24 });
    socket.write(encodeFrame(frameTypes.resize, Buffer.from(size)));
  };
  stdin.on('data', onData);
  stdin.on('end', onEnd);
  if (isRaw) {
    resize();
    process.on('SIGWINCH', resize);
  }
  return () => {
    stdin.off('data', onData);
    stdin.off('end', onEnd);
    process.off('SIGWINCH', resize);
    restore();
    stdin.pause();
    stdin.unref?.();
  };
}

function environmentOf(call: ExecCall): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const one of call.environment) {
    const cut = one.indexOf('=');
    if (cut >= 0) environment[one.slice(0, cut)] = one.slice(cut + 1);
    else if (call.context.env[one] !== undefined) environment[one] = call.context.env[one] ?? '';
  }
  return environment;
}
