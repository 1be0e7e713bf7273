import { AppError } from '../../base/app-error.ts';
import type { Clock } from '../../base/clock.ts';
import { existsQuick, readQuick } from '../../os/quick-files.ts';

/** Files of one exec: `pid` is there once the command runs, `log` holds what the runtime says of itself. */
export type ExecFiles = { readonly process: string; readonly pid: string; readonly log: string };
export type NotRun = { readonly exitCode: number; readonly error: AppError };

const notFound = 127;
const notExecutable = 126;
const heldBytesMax = 8192;
const pollMs = 5;
/** The last step of a start, the program itself, may fail after the runtime has said that all went well; it then logs that within this time. */
const lastStep = /^exec[ :]/;
const lastStepMs = 1_000;
/** How crun tells of that, a line in the words of the system, where it does not log it any more. */
const lastStepOfCrun = /^exec: [A-Z][a-z ]+$/;
const failedCode = 1;
const looksLikeRuntime = /no such file or directory|not found|permission denied|operation not permitted|exec|chdir|container|error/i;

/**
 * Keeps the runtime's own words, which it writes where the command would have written, apart from the command's: they are held until it is
 * known whose they are.
 */
export type ComplaintFilter = {
  /** A piece of output: passed on, unless it may be the runtime's. */
  readonly take: (chunk: Uint8Array) => void;
  /** After the end: why the command was not run, or null, and then all that was held has been passed on. */
  readonly end: (exitCode: number) => NotRun | null;
};

export function complaintFilter(clock: Clock, files: ExecFiles, what: { readonly container: string; readonly argv: readonly string[]; readonly workingDir: string }, pass: (chunk: Uint8Array) => void): ComplaintFilter {
  let held: Uint8Array[] | null = [];
  let heldBytes = 0;
  const release = (): void => {
    for (const chunk of held ?? []) pass(chunk);
    held = null;
  };
  const mayBeRuntimes = (text: string): boolean => lastStep.test(text) || (!existsQuick(files.pid) && looksLikeRuntime.test(text)) || runtimeWords(files.log) !== null;
  /** A program that runs may have said the same, a moment before the runtime says that it runs: nobody waits for that longer than needed. */
  const releaseWhenSettled = async (text: string): Promise<void> => {
    for (let waitedMs = 0; held !== null; waitedMs += pollMs) {
      await clock.sleep(pollMs);
      const isRunning = existsQuick(files.pid) && (!lastStep.test(text) || waitedMs > lastStepMs);
      if (isRunning && runtimeWords(files.log) === null) release();
    }
  };
  const heldWords = (exitCode: number): string | null => {
    const text = textOf(held ?? []).trim();
    // NOTE: the very last step of a start, the program itself, runc and newer cruns fail at without logging it, and after they said that all went well.
    const isLastStep = exitCode === failedCode && (text.startsWith(`exec ${what.argv[0] ?? ''}: `) || lastStepOfCrun.test(text));
    return text !== '' && (!existsQuick(files.pid) || isLastStep) ? text : null;
  };
  return {
    take: (chunk) => {
      if (held !== null && heldBytes < heldBytesMax && mayBeRuntimes(textOf([chunk]))) {
        held.push(chunk);
        heldBytes += chunk.length;
        if (held.length === 1) void releaseWhenSettled(textOf([chunk]));
        return;
      }
      release();
      pass(chunk);
    },
    end: (exitCode) => {
      const words = exitCode === 0 ? null : (runtimeWords(files.log) ?? heldWords(exitCode));
      if (words === null) {
        release();
        return null;
      }
      held = null;
      return notRun(words.replace(/\s+/g, ' ').slice(0, 600), what);
    },
  };
}

function notRun(words: string, { container, argv, workingDir }: { readonly container: string; readonly argv: readonly string[]; readonly workingDir: string }): NotRun {
  const command = JSON.stringify(argv[0] ?? '');
  const isMissing = /not found|no such file or directory/i.test(words);
  if (/chdir/i.test(words)) {
    return { exitCode: isMissing ? notFound : notExecutable, error: new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `container ${container}: the working directory ${workingDir} ${isMissing ? 'does not exist in it' : `can't be entered: ${words}`}`, hint: 'name another with -w' }) };
  }
  if (/executable file .*not found|exec.*no such file or directory|stat .*no such file or directory/i.test(words)) {
    return { exitCode: notFound, error: new AppError({ code: 'ENGINE_COMMAND_NOT_FOUND', message: `container ${container}: there is no program ${command} in it`, hint: hintFor(argv[0] ?? '') }) };
  }
  if (/permission denied|operation not permitted|exec format error|is a directory|not a directory|not a regular file/i.test(words)) {
    return { exitCode: notExecutable, error: new AppError({ code: 'ENGINE_COMMAND_NOT_FOUND', message: `container ${container}: ${command} can't be executed: ${words}`, hint: 'it must be a program for this machine, and its mode must allow it' }) };
  }
  return { exitCode: notExecutable, error: new AppError({ code: 'ENGINE_RUNTIME_FAILED', message: `container ${container}: the command could not be started: ${words}` }) };
}

function hintFor(command: string): string {
  if (/^(\/\S*\/)?(bash|zsh|ash|dash)$/.test(command)) return 'many images have only `sh`, and some no shell at all';
  if (/\s/.test(command)) return `a command and its arguments are words of their own; for a line of shell: sh -c ${JSON.stringify(command)}`;
  return command.includes('/') ? 'the path is one of the container; a script also needs the program that its first line names' : "it is looked for in the container's PATH";
}

/** What the runtime logged as an error. Both write JSON, a line an entry. */
function runtimeWords(path: string): string | null {
  for (const line of (readQuick(path) ?? '').split('\n')) {
    try {
      const entry: unknown = line === '' ? null : JSON.parse(line);
      if (typeof entry === 'object' && entry !== null && 'level' in entry && 'msg' in entry && typeof entry.msg === 'string' && (entry.level === 'error' || entry.level === 'fatal')) return entry.msg;
    } catch {
      // A line that is just being written is read the next time.
    }
  }
  return null;
}

function textOf(chunks: readonly Uint8Array[]): string {
  return Buffer.concat(chunks).toString('utf8');
}
