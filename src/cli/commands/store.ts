import { AppError } from '../../base/app-error.ts';
import { rootDirOf } from '../../base/daemon-dirs.ts';
import { isErrorCode } from '../../base/error-codes.ts';
import { run } from '../../os/spawn.ts';
import type { ApiClient } from '../../wire/http-client.ts';
import { type CliContext } from '../context.ts';
import { parseCommand } from '../parse-command.ts';
import { storeMembersText, storeStatusText } from '../print/store-status.ts';

const verbs: Readonly<Record<string, string>> = {
  status: 'Show the leader, the members and what is wrong with the store',
  members: 'List the members; or change them: members remove|promote|transfer ID, members replace ID BY-ID',
  backup: 'Write the state to FILE; with --dir of a manager that does not run',
  restore: 'Make a new cluster from a backup FILE in an empty --dir',
  recover: 'Go on alone after the quorum is lost for good, or with --rejoin put the data aside to join again',
  keys: 'Change what encrypts the log: keys rotate; keys lock: from now on a key that is shown once unlocks it; keys unlock: no longer',
  verify: 'Read and check every byte of the store of a manager that does not run',
};

/** `flotilla store …`: online verbs ask the daemon; the others work on the data directory of one that is stopped, in a process of their own. */
export async function runStore(args: readonly string[], context: CliContext): Promise<void> {
  const parsed = await parseCommand('store', args, context, (command) =>
    command
      .description(`Operate the replicated store\n\n${Object.entries(verbs).map(([verb, text]) => `  ${verb.padEnd(9)} ${text}`).join('\n')}`)
      .argument('<verb>').argument('[args...]')
      .option('--dir <dir>', 'data directory of a stopped manager', `${rootDirOf(context.env)}/store`)
      .option('--stopped', 'backup: of the stopped manager in --dir')
      .option('--rejoin', 'recover: put the data aside, to join again under a new id')
      .option('--yes', 'recover: I know that the other managers are lost for good')
      .option('--format <format>', 'pretty or json', 'pretty'));
  const [verb = '', ...rest] = parsed.args;
  const { options } = parsed;
  const dir = String(options['dir']);
  if (options['format'] !== 'pretty' && options['format'] !== 'json') throw new AppError({ code: 'CLI_USAGE', message: `--format takes pretty or json in this version, not "${String(options['format'])}"`, hint: 'flotilla store --help' });
  const isJson = options['format'] === 'json';
  const show = (value: unknown): void => context.out.write(isJson ? `${JSON.stringify(value)}\n` : `${pretty(value)}\n`);
  switch (verb) {
    case 'status':
      return isJson ? show(await ask(context)) : context.out.write(storeStatusText(await ask(context)));
    case 'members':
      if (rest.length === 0 && !isJson) return context.out.write(storeMembersText(await members(rest, context)));
      return show(await members(rest, context));
    case 'keys':
      return show(await keys(rest[0], context));
    case 'backup':
      if (options['stopped'] === true) return show(await offline(['backup', dir, absolute(rest[0], context)], context));
      return show(await (await running(context)).call('POST', '/v1/store/backup', { path: absolute(rest[0], context) }));
    case 'restore':
      return show(await offline(['restore', dir, absolute(rest[0], context)], context));
    case 'verify':
      return show(await offline(['verify', dir], context));
    case 'recover':
      if (options['rejoin'] === true) return show(await offline(['rejoin', dir], context));
      if (options['yes'] !== true) {
        throw new AppError({
          code: 'CLI_USAGE',
          message: 'recover makes this manager a cluster of its own; the others can never come back with what they have',
          hint: 'only when their majority is lost for good: flotilla store recover --yes',
        });
      }
      return show(await offline(['recover', dir], context));
    default:
      throw new AppError({ code: 'CLI_USAGE', message: `flotilla store has no verb \`${verb}\``, hint: 'flotilla store --help' });
  }
}

async function ask(context: CliContext): Promise<unknown> {
  return (await running(context)).call('GET', '/v1/store/status');
}

/** NOTE: the daemon isn't started for it: where there is no store yet, a question would make one. */
async function running(context: CliContext): Promise<ApiClient> {
  const client = await context.daemonIfRunning();
  if (client !== null) return client;
  throw new AppError({
    code: 'WIRE_NO_DAEMON', message: 'no daemon runs here, and the store is asked through it',
    hint: 'start it (sudo systemctl start flotilla, or sudo flotilla daemon); for the store of one that is stopped: flotilla store verify, or backup --stopped',
  });
}

async function members(args: readonly string[], context: CliContext): Promise<unknown> {
  const client = await running(context);
  const [kind, memberId, byMemberId] = args;
  if (kind === undefined) {
    const status = await client.call('GET', '/v1/store/status');
    return typeof status === 'object' && status !== null && 'members' in status ? status.members : status;
  }
  if (memberId === undefined) throw new AppError({ code: 'CLI_USAGE', message: `members ${kind} of which member?`, hint: 'flotilla store members' });
  return client.call('POST', '/v1/store/members', { kind, memberId, ...(byMemberId === undefined ? {} : { byMemberId }) });
}

/** NOTE: the answer of `lock` is the one place where its key can be read. */
async function keys(kind: string | undefined, context: CliContext): Promise<unknown> {
  if (kind !== 'rotate' && kind !== 'lock' && kind !== 'unlock') throw new AppError({ code: 'CLI_USAGE', message: `keys ${kind ?? ''}: rotate, lock or unlock`, hint: 'flotilla store --help' });
  return (await running(context)).call('POST', `/v1/store/keys/${kind}`);
}

/** The executable beside the command's own: in the bundle, or in the sources. */
async function offline(args: readonly string[], context: CliContext): Promise<unknown> {
  const own = process.argv[1] ?? '';
  const here = own.slice(0, own.lastIndexOf('/'));
  const script = own.endsWith('.ts') ? `${here}/../daemon/store-ops.ts` : `${here}/store-ops.js`;
  const key = context.env['FLOTILLA_UNLOCK_KEY'];
  const result = await run([process.execPath, script, ...args], { environment: { PATH: context.env['PATH'] ?? '/usr/bin:/bin', ...(key === undefined ? {} : { FLOTILLA_UNLOCK_KEY: key }) } });
  if (result.code === 0) return JSON.parse(result.stdout);
  throw failureOf(result.stderr);
}

function failureOf(stderr: string): AppError {
  const line = stderr.trim().split('\n').at(-1) ?? '';
  try {
    const value: unknown = JSON.parse(line);
    const error: unknown = typeof value === 'object' && value !== null && 'error' in value ? value.error : null;
    if (typeof error === 'object' && error !== null && 'code' in error && 'message' in error && typeof error.code === 'string' && isErrorCode(error.code)) {
      return new AppError({ code: error.code, message: String(error.message), hint: 'hint' in error ? String(error.hint) : undefined });
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return new AppError({ code: 'BASE_INTERNAL', message: `the operation ended without an answer: ${stderr.slice(0, 500)}` });
}

function absolute(path: string | undefined, context: CliContext): string {
  if (path === undefined) throw new AppError({ code: 'CLI_USAGE', message: 'which file?', hint: 'flotilla store backup FILE' });
  return path.startsWith('/') ? path : `${context.cwd}/${path}`;
}

function pretty(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === undefined || value === null ? 'done' : String(value);
  if (Array.isArray(value)) return value.map((one) => pretty(one)).join('\n\n');
  return Object.entries(value).map(([name, one]) => `${name}: ${typeof one === 'object' && one !== null ? JSON.stringify(one) : String(one)}`).join('\n');
}
