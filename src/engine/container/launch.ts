import { AppError } from '../../base/app-error.ts';
import { commandLineOf, processId } from '../../os/process-handle.ts';
import type { ProcessId } from '../../os/process-handle.ts';
import { makeDirQuick, readQuick, writeFresh } from '../../os/quick-files.ts';
import { spawnAway } from '../../os/spawn-away.ts';
import type { Away } from '../../os/spawn-away.ts';
import type { EngineContext } from './engine-context.ts';
import type { Entry } from './entry.ts';
import type { OciConfig } from './oci-types.ts';
import { filterAnnotation } from './seccomp/filter-cache.ts';

const messageBytesMax = 64 * 1024;
const launchMsMax = 60_000;

/**
 * Starts the monitor, which runs the runtime's `create`; resolves when the container's first process waits to be released.
 * One process of ours: conmon; it forks itself away, so that it belongs to nobody who may die.
 * Errors: ENGINE_COMMAND_NOT_FOUND, ENGINE_RUNTIME_FAILED.
 */
export async function launch(context: EngineContext, entry: Entry, config: OciConfig): Promise<ProcessId> {
  const { layout, runtime } = context;
  const bundle = layout.bundle(entry.id);
  makeDirQuick(bundle);
  makeDirQuick(layout.logs(entry.id));
  writeFresh(`${bundle}/config.json`, JSON.stringify(withFilter(context, config)));
  context.failpoint('launch:config');
  const complaints = `${bundle}/complaints`;
  const monitor = await startMonitor(context, entry, complaints);
  context.failpoint('launch:spawned');
  const line = await monitor.answer.catch(() => JSON.stringify({ data: -1, message: `no answer after ${launchMsMax / 1000} s` }));
  const { data, message } = parseAnswer(line);
  const process = data > 0 ? processId(data) : null;
  if (process !== null) {
    if (config.linux.seccomp !== undefined) context.filters?.keep(config.linux.seccomp, layout.runtimeState(entry.id));
    return process;
  }
  const why = data > 0 ? 'its first process ended at once' : message !== '' ? message : line !== '' ? line : readQuick(complaints)?.slice(0, messageBytesMax) || 'the monitor ended without a word';
  throw launchError(entry, runtime.name, why);
}

async function startMonitor(context: EngineContext, entry: Entry, complaintsPath: string): Promise<Away> {
  try {
    return await spawnAway(monitorCommand(context, entry), {
      environment: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', _OCI_SYNCPIPE: '3' },
      cwd: context.layout.bundle(entry.id),
      complaintsPath,
      signal: AbortSignal.timeout(launchMsMax),
    });
  } catch (error) {
    throw launchError(entry, context.runtime.name, String(error));
  }
}

/** Whether the process lives that sees the container's end and writes its code. */
export function hasMonitor(layout: EngineContext['layout'], id: string): boolean {
  const pid = Number(readQuick(layout.monitorPid(id)) ?? 0);
  return pid > 0 && (commandLineOf(pid) ?? []).includes(id);
}

/** The filter stays in the document too: it is what was asked for. */
function withFilter(context: EngineContext, config: OciConfig): OciConfig {
  const filter = config.linux.seccomp === undefined ? null : (context.filters?.find(config.linux.seccomp) ?? null);
  return filter === null ? config : { ...config, annotations: { ...config.annotations, [filterAnnotation]: filter } };
}

function monitorCommand(context: EngineContext, entry: Entry): string[] {
  const { layout, runtime } = context;
  const { spec, id } = entry;
  const bundle = layout.bundle(id);
  return [
    runtime.monitorPath,
    '--api-version', '1',
    '-c', id,
    '-u', id,
    '-n', spec.name,
    '-r', runtime.path,
    '--runtime-arg', `--root=${layout.runtimeRoot}`,
    '-b', bundle,
    '-p', `${bundle}/pid`,
    '-P', layout.monitorPid(id),
    '--exit-dir', layout.exits,
    '--full-attach',
    '--no-sync-log',
    '--log-level', 'error',
    ...(spec.logging.driver === 'none' ? ['-l', 'none'] : ['-l', `k8s-file:${layout.log(id)}`, '--log-size-max', String(spec.logging.maxSizeBytes)]),
    ...(spec.tty ? ['-t'] : []),
    ...(spec.stdinOpen ? ['-i', '--leave-stdin-open'] : []),
  ];
}

/** The runtime's own words decide what went wrong; they differ between crun and runc and have kept their core for years. */
function launchError(entry: Entry, runtime: string, why: string): AppError {
  const text = why.replace(/\s+/g, ' ').trim().slice(0, 600);
  const command = entry.spec.entrypoint?.[0] ?? entry.spec.command?.[0] ?? entry.state.image.config.entrypoint[0] ?? entry.state.image.config.cmd[0] ?? '';
  if (/executable file .*not found|no such file or directory.*exec|exec.*no such file or directory|stat .*: no such file or directory/i.test(text)) {
    return new AppError({ code: 'ENGINE_COMMAND_NOT_FOUND', message: `container ${entry.spec.name}: ${JSON.stringify(command)} is not in the image ${entry.spec.image}`, hint: 'check `command:` and `entrypoint:`', cause: text });
  }
  // NOTE: of a directory crun says since 1.15 that the path is not a regular file, without a word of executing.
  if (/the path .* is not a regular file/i.test(text) || (/permission denied|operation not permitted|exec format error|is a directory/i.test(text) && /exec/i.test(text))) {
    return new AppError({ code: 'ENGINE_COMMAND_NOT_FOUND', message: `container ${entry.spec.name}: ${JSON.stringify(command)} can't be executed: ${text}`, hint: 'check `command:` and `entrypoint:`: it must be a program, and its mode must allow it', cause: text });
  }
  return new AppError({ code: 'ENGINE_RUNTIME_FAILED', message: `container ${entry.spec.name}: ${runtime} refused: ${text}` });
}

/** conmon's answer: `{"data": pid}` or `{"data": -1, "message": "…"}`. */
function parseAnswer(line: string): { readonly data: number; readonly message: string } {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) {
      const number: unknown = 'data' in value ? value.data : 'pid' in value ? value.pid : -1;
      const message = 'message' in value && typeof value.message === 'string' ? value.message : '';
      return { data: typeof number === 'number' ? number : -1, message };
    }
  } catch {
    // Not JSON: the text itself is the complaint.
  }
  return { data: -1, message: line };
}
