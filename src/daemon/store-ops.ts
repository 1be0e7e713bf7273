import { AppError } from '../base/app-error.ts';
import { Secret } from '../base/secret.ts';
import { backupStopped, restoreBackup } from '../manager/store/ops/backup.ts';
import { recoverFromLostQuorum, setAsideForRejoin } from '../manager/store/ops/recover.ts';
import { verifyStopped } from '../manager/store/ops/verify.ts';
import { realRandom } from '../os/real-random.ts';

/**
 * What is done to the store of a manager that does not run, as an executable of its own: the command starts it, as it may not reach
 * into the manager. `node store-ops.js VERB DIR [PATH]`; the unlock key comes in FLOTILLA_UNLOCK_KEY. Prints one JSON value; an error goes to stderr as JSON.
 */
function main(args: readonly string[]): unknown {
  const [verb, dir, path] = args;
  if (dir === undefined) throw new AppError({ code: 'DAEMON_USAGE', message: 'which data directory?', hint: 'store-ops VERB DIR [PATH]' });
  const given = process.env['FLOTILLA_UNLOCK_KEY'];
  const unlockKey = given === undefined || given === '' ? null : new Secret(given);
  switch (verb) {
    case 'backup':
      return backupStopped(dir, pathOf(path), unlockKey);
    case 'restore':
      return restoreBackup({ dir, path: pathOf(path), random: realRandom });
    case 'recover':
      return recoverFromLostQuorum(dir, unlockKey);
    case 'rejoin':
      return { savedAs: setAsideForRejoin(dir) };
    case 'verify':
      return verifyStopped(dir, unlockKey);
    default:
      throw new AppError({ code: 'DAEMON_USAGE', message: `no such operation: ${verb ?? ''}`, hint: 'backup, restore, recover, rejoin, verify' });
  }
}

function pathOf(path: string | undefined): string {
  if (path === undefined || path === '') throw new AppError({ code: 'DAEMON_USAGE', message: 'which file?' });
  return path;
}

try {
  process.stdout.write(`${JSON.stringify(main(process.argv.slice(2)))}\n`);
} catch (error) {
  const known = error instanceof AppError ? error : new AppError({ code: 'BASE_INTERNAL', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  process.stderr.write(`${JSON.stringify({ error: known })}\n`);
  process.exitCode = 1;
}
