import type { Assignment } from '../model/assignment.ts';
import type { Log } from '../base/log.ts';
import { ensureDir, readTextIfThere, writeFileWhole } from '../os/files.ts';
import { writeQuick } from '../os/quick-files.ts';
import { type MemoryFiles, SecretFile } from './secret-file.ts';
import { freshMemory, type TaskMemory } from './step.ts';

/**
 * What the agent keeps on disk, so that it can work on without a manager and tell a reboot from a restart of its own:
 * the last assignment, and a few facts of each task. Both are rewritten whole; what is lost with a crash is only the newest
 * write, and every fact in it can be learnt again from the containers and the manager. The assignment is of this boot only, so it
 * lies in the run directory; the content of its secrets apart from it, in memory (secret-file.ts).
 */
export class AgentMemory {
  readonly #dir: string;
  readonly #runDir: string;
  readonly #log: Log;
  readonly #secrets: SecretFile;
  readonly #tasks: Map<string, TaskMemory>;
  readonly savedAssignment: Assignment | null;
  /** True when every process of the time before is gone. */
  readonly isNewBoot: boolean;
  readonly #bootId: string;
  #pendingAssignment: Assignment | null = null;
  #latestAssignment: Assignment | null = null;
  #writtenAssignment: Assignment | null;
  #isTasksDirty = false;
  #writing: Promise<void> | null = null;

  private constructor(fields: { dir: string; runDir: string; log: Log; secrets: SecretFile; tasks: Map<string, TaskMemory>; assignment: Assignment | null; bootId: string; isNewBoot: boolean }) {
    this.#dir = fields.dir;
    this.#runDir = fields.runDir;
    this.#log = fields.log;
    this.#secrets = fields.secrets;
    this.#tasks = fields.tasks;
    this.#bootId = fields.bootId;
    this.savedAssignment = fields.assignment;
    this.#writtenAssignment = fields.assignment;
    this.isNewBoot = fields.isNewBoot;
  }

  static async open(options: { readonly dir: string; readonly runDir: string; readonly bootId: string; readonly log: Log; readonly files: MemoryFiles }): Promise<AgentMemory> {
    await ensureDir(options.dir);
    await ensureDir(options.runDir);
    const secrets = await SecretFile.open(options);
    const assignment = withSecrets(parse<Assignment>(await readTextIfThere(`${options.runDir}/assignment.json`), options.log), await secrets.load(), options.log);
    const saved = parse<{ bootId: string; tasks: Record<string, TaskMemory> }>(await readTextIfThere(`${options.dir}/tasks.json`), options.log);
    const isNewBoot = saved !== null && saved.bootId !== options.bootId;
    const tasks = new Map(Object.entries(saved?.tasks ?? {}));
    // After a reboot nothing runs: a wish to run is to be fulfilled again.
    if (isNewBoot) for (const [id, memory] of tasks) tasks.set(id, { ...memory, fulfilled: null });
    return new AgentMemory({ dir: options.dir, runDir: options.runDir, log: options.log, secrets, tasks, assignment, bootId: options.bootId, isNewBoot });
  }

  task(taskId: string): TaskMemory {
    return this.#tasks.get(taskId) ?? freshMemory;
  }

  setTask(taskId: string, memory: TaskMemory): void {
    this.#tasks.set(taskId, memory);
    this.#isTasksDirty = true;
    this.#schedule();
  }

  forgetTask(taskId: string): void {
    if (this.#tasks.delete(taskId)) {
      this.#isTasksDirty = true;
      this.#schedule();
    }
  }

  /**
   * A new task is written down before this returns: after a crash, a container whose task nobody here knows of would be taken for a
   * stranger's. Without the content of its secrets, which follows, the whole is no good, and the manager is waited for.
   */
  saveAssignment(assignment: Assignment): void {
    this.#pendingAssignment = assignment;
    this.#latestAssignment = assignment;
    const known = new Set(this.#writtenAssignment?.tasks.map((one) => one.task.id));
    if (assignment.tasks.some((one) => !known.has(one.task.id))) {
      try {
        this.#keepLatest();
      } catch (error) {
        this.#log.error('agent.memory-not-saved', { error: String(error) });
      }
    }
    this.#schedule();
  }

  /** Resolves when everything told so far is on disk. */
  async flush(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  /** The secrets first: without them the rest would be useless, and with too many of them it is not. */
  async #writeAssignment(assignment: Assignment): Promise<void> {
    const contents = new Map(assignment.tasks.flatMap((one) => one.secrets).map((secret) => [secret.id, secret.dataBase64]));
    await this.#secrets.save(contents);
    this.#keepLatest();
  }

  /** At once, so that no older one can come after it; the disk is not waited for, since the run directory is of this boot. */
  #keepLatest(): void {
    const assignment = this.#latestAssignment;
    if (assignment === null || assignment === this.#writtenAssignment) return;
    writeQuick(`${this.#runDir}/assignment.json`, JSON.stringify(withoutSecrets(assignment)));
    this.#writtenAssignment = assignment;
  }

  #schedule(): void {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null;
      if (this.#isTasksDirty || this.#pendingAssignment !== null) this.#schedule();
    });
  }

  async #write(): Promise<void> {
    // The turn of the loop ends first, so that changes that come together are one write.
    await Promise.resolve();
    const assignment = this.#pendingAssignment;
    this.#pendingAssignment = null;
    const isTasksDirty = this.#isTasksDirty;
    this.#isTasksDirty = false;
    try {
      if (assignment !== null) await this.#writeAssignment(assignment);
      if (isTasksDirty) await writeFileWhole(`${this.#dir}/tasks.json`, JSON.stringify({ bootId: this.#bootId, tasks: Object.fromEntries(this.#tasks) }));
    } catch (error) {
      // A full disk must not stop containers from being started and stopped; what is on disk is then older.
      this.#log.error('agent.memory-not-saved', { error: String(error) });
    }
  }
}

/** What the file holds in place of a secret's content. */
const apart = '';

function withoutSecrets(assignment: Assignment): Assignment {
  return { ...assignment, tasks: assignment.tasks.map((one) => (one.secrets.length === 0 ? one : { ...one, secrets: one.secrets.map((secret) => ({ ...secret, dataBase64: apart })) })) };
}

/** null where a secret's content is not there: nothing may be made of half of what is wished. */
function withSecrets(assignment: Assignment | null, contents: ReadonlyMap<string, string>, log: Log): Assignment | null {
  if (assignment === null) return null;
  const missing = assignment.tasks.flatMap((one) => one.secrets).find((secret) => !contents.has(secret.id));
  if (missing !== undefined) {
    log.warn('agent.memory-incomplete', { code: 'AGENT_SECRETS_NOT_KEPT', secret: missing.name });
    return null;
  }
  return { ...assignment, tasks: assignment.tasks.map((one) => ({ ...one, secrets: one.secrets.map((secret) => ({ ...secret, dataBase64: contents.get(secret.id) ?? secret.dataBase64 })) })) };
}

/** NOTE: the file is our own, written whole; one that can't be read is treated as not there. */
function parse<T>(text: string | null, log: Log): T | null {
  if (text === null) return null;
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    log.warn('agent.memory-unreadable', { error: String(error) });
    return null;
  }
}
