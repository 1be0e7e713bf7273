import { AppError } from '../../src/base/app-error.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Log } from '../../src/base/log.ts';
import { randomBelow, seededRandom } from '../../src/base/random.ts';
import type { Random } from '../../src/base/random.ts';
import type { Change } from '../../src/model/entry.ts';
import { openKeys } from '../../src/manager/store/key-file.ts';
import { KeyRotation } from '../../src/manager/store/key-rotation.ts';
import { StoreNode } from '../../src/manager/store/node.ts';
import { recoverState } from '../../src/manager/store/recover-state.ts';
import { plainKeys } from '../../src/manager/store/seal.ts';
import { SnapshotReader } from '../../src/manager/store/snapshot-file.ts';
import type { SnapshotHead } from '../../src/manager/store/snapshot-file.ts';
import { encodeContent, encodeMeta, StateDecoder } from '../../src/manager/store/state-codec.ts';
import { appliedIndex } from '../../src/manager/store/store-state.ts';
import { backupSlot, Storage } from '../../src/manager/store/storage.ts';
import type { JobRunner, StorageAnswer, StorageJob } from '../../src/manager/store/storage.ts';
import type { HostMutations, StoreLimits } from '../../src/manager/store/store-limits.ts';
import type { RaftMutation } from '../../src/raft/mutations.ts';
import type { ConfState } from '../../src/raft/types.ts';
import { SimFailure } from './oracles.ts';
import type { Oracles } from './oracles.ts';
import type { Scheduler } from './scheduler.ts';
import { readSegmentOnce } from './segment-memo.ts';
import { SimCrash } from './sim-disk.ts';
import type { SimDisk } from './sim-disk.ts';
import type { SimNetwork } from './sim-network.ts';
import { Lane } from './lane.ts';
import { count } from './tally.ts';
import type { Tally } from './tally.ts';

export type SimMemberOptions = {
  readonly id: string;
  readonly scheduler: Scheduler;
  readonly network: SimNetwork;
  readonly disk: SimDisk;
  readonly oracles: Oracles;
  readonly random: Random;
  readonly firstConf: ConfState;
  readonly limits: StoreLimits;
  readonly isEncrypted: boolean;
  readonly isSmall: boolean;
  readonly address: string;
  readonly chunkBytes: number;
  readonly mutations: HostMutations;
  readonly raftMutations: ReadonlySet<RaftMutation>;
  readonly trace: ((text: string) => void) | null;
  readonly tally: Tally;
};

const dir = '/data';
const clusterId = 'sim.1';
/** For each step of an orderly end. */
const closeMs = 1000;
const refusals: readonly string[] = ['MANAGER_WAL_DAMAGED', 'MANAGER_SNAPSHOT_DAMAGED', 'MANAGER_STORE_DAMAGED', 'MANAGER_STORE_AUTOLOCKED', 'MANAGER_STORE_KEY_UNKNOWN', 'MANAGER_WAL_FOREIGN', 'MANAGER_FEATURE_LEVEL'];

/** An artificial second level: what begins so can be read from it on. */
export const secondLevelMark = 'L2:';

function entryLevel(changes: readonly Change[]): number {
  return changes.some((change) => change.kind === 'put' && change.object.kind === 'config' && change.object.dataBase64.startsWith(secondLevelMark)) ? 2 : 1;
}

function readBackup(disk: SimDisk, path: string): { readonly head: SnapshotHead; readonly view: readonly Uint8Array[] } {
  const reader = new SnapshotReader(disk, path, plainKeys);
  const view: Uint8Array[] = [];
  reader.verify((content) => void view.push(content));
  reader.close();
  return { head: reader.head, view };
}

/** One whole member of the simulated cluster: the shipping node over a simulated disk, network and clock. */
export class SimMember {
  readonly options: SimMemberOptions;
  /** `refused`: its disk does not verify, and it rightly does not start. */
  state: 'down' | 'up' | 'refused' | 'left' = 'down';
  refusal = '';
  node: StoreNode | null = null;
  rotation: KeyRotation | null = null;
  /** The version that runs on it, from its next start on. */
  featureLevel = 1;
  /** How far its wall clock is from the right time. */
  wallOffsetMs = 0;
  /** How fast its clock runs, since when, and what it showed then. */
  #drift = { rate: 1, sinceMs: 0, monotonicMs: 0 };
  /** Disk calls take this many times longer. */
  slowness = 1;
  /** The chance that the power goes at a disk job. */
  crashRate = 0;
  /** How fast each of its two threads is, apart from the disk; a small member has the log's only. */
  readonly lanes: { readonly log: Lane; readonly bulk: Lane } = { log: new Lane(), bulk: new Lane() };
  #life = 0;
  #backups = 0;
  #frozenUntilMs = 0;

  constructor(options: SimMemberOptions) {
    this.options = options;
  }

  get id(): string {
    return this.options.id;
  }

  /** NOTE: from now on, and from what the clock shows: this one never goes back, however its rate changes. */
  setDrift(rate: number): void {
    this.#drift = { rate, monotonicMs: this.#monotonicMs(), sinceMs: this.options.scheduler.nowMs };
  }

  #monotonicMs(): number {
    const { rate, sinceMs, monotonicMs } = this.#drift;
    return monotonicMs + (this.options.scheduler.nowMs - sinceMs) * rate;
  }

  start(): void {
    if (this.state === 'up' || this.state === 'left') return;
    const { disk, random, limits, network, oracles, isSmall, tally } = this.options;
    count(tally, 'starts');
    this.#life += 1;
    this.#frozenUntilMs = 0;
    const life = this.#life;
    try {
      const opened = this.options.isEncrypted ? openKeys({ disk, dir, unlockKey: null, randomBytes: random.bytes }) : null;
      const storageOptions = {
        disk, dir, clusterId, memberId: this.id, segmentSizeBytes: limits.segmentSizeBytes, keys: opened?.dataKeys ?? plainKeys,
        randomBytes: random.bytes, monotonicMs: () => 0, snapshotChunkBytes: this.options.chunkBytes, readSegment: readSegmentOnce,
      };
      const logStorage = new Storage(storageOptions);
      const log = logStorage.openLog();
      const bulkStorage = isSmall ? logStorage : new Storage(storageOptions);
      bulkStorage.openSnapshots();
      const { recovered } = recoverState({ storage: bulkStorage, batches: log.batches, batchBytesMax: log.batchBytesMax, clusterId, firstConf: this.options.firstConf, featureLevelMax: this.featureLevel, mutations: this.options.mutations });
      oracles.sameState(this.id, recovered.state, 'recovered');
      const logRunner = this.#runner(logStorage, life, this.lanes.log);
      const bulkRunner = isSmall ? logRunner : this.#runner(bulkStorage, life, this.lanes.bulk);
      const node: StoreNode = new StoreNode(
        {
          clock: {
            nowMs: () => 1_700_000_000_000 + this.wallOffsetMs + this.#monotonicMs(),
            monotonicMs: () => this.#monotonicMs(),
            sleep: () => Promise.reject(new Error('no promises in the simulation')),
            after: (ms, fn) => this.#schedule(life, ms / this.#drift.rate, fn, true),
          },
          random: seededRandom(randomBelow(random, 0x7fffffff)), log: this.#log(),
          soon: (callback) => void this.#schedule(life, 0, callback, false),
          logRunner, bulkRunner,
          transport: { send: (envelope, lane) => network.send(envelope, lane), setPeers: () => undefined, close: () => undefined },
          onFatal: (error) => this.#died(life, error),
          observe: {
            appended: (entries, before) => oracles.appended(this.id, entries, before),
            applied: (entry, state) => oracles.applied(this.id, entry, state, this.node?.leadership.term ?? entry.term),
            installed: (state) => {
              count(tally, 'snapshots installed');
              oracles.sameState(this.id, state, 'installed');
            },
            role: (softState, term) => {
              this.options.trace?.(`${this.id} ${softState.role} term ${term}${softState.isLeading ? ' leading' : ''}`);
              oracles.role(this.id, softState, term, this.#life === life ? this.node : null);
            },
          },
        },
        {
          memberId: this.id, clusterId, address: this.options.address, featureLevel: this.featureLevel, entryLevel, knownPeers: new Map(), limits, recovered,
          mutations: this.options.mutations, raftMutations: this.options.raftMutations,
          raftLimits: { messageBytesMax: 4096, inflightBytesMax: 64 * 1024, uncommittedBytesMax: 256 * 1024, entryBytesMax: 8 * 1024 },
        },
      );
      this.node = node;
      this.rotation = opened === null ? null : new KeyRotation({ disk, dir, randomBytes: random.bytes, opened, unlockKey: null, logRunner, bulkRunner, snapshots: node.snapshots, mutations: this.options.mutations });
      this.state = 'up';
      network.attach(this.id, (envelope) => this.#schedule(life, 0, () => node.receive(envelope), false), (other) => this.#schedule(life, 0, () => node.peerLost(other), false));
      this.options.trace?.(`${this.id} up at ${recovered.state.view.revision}, log to ${recovered.entries.at(-1)?.index ?? 0}, term ${recovered.hardState?.term ?? 0}`);
      node.start();
    } catch (error) {
      this.#failedStart(error);
    }
  }

  /** The power goes. */
  crash(why: string): void {
    if (this.state !== 'up' && this.state !== 'down') return;
    count(this.options.tally, 'crashes');
    this.options.trace?.(`${this.id} crashes: ${why}`);
    this.#stop();
    this.options.disk.crash();
    this.state = 'down';
  }

  /** Writes the state of now to a file elsewhere, by a thread of its own as the store does, and reads it back. */
  backup(): void {
    const { node, options: { disk, random, limits, oracles, chunkBytes, tally } } = this;
    if (node === null) return;
    const storage = new Storage({ disk, dir, clusterId, memberId: this.id, segmentSizeBytes: limits.segmentSizeBytes, keys: plainKeys, randomBytes: random.bytes, monotonicMs: () => 0, snapshotChunkBytes: chunkBytes });
    const runner = this.#runner(storage, this.#life, new Lane());
    const { state } = node;
    const path = `/backup/${(this.#backups += 1)}`;
    const jobs: StorageJob[] = [
      { kind: 'backup-begin', path, head: { clusterId, index: appliedIndex(state), term: state.term, meta: encodeMeta(state) } },
      ...[...encodeContent(state.view, 300)].map((content): StorageJob => ({ kind: 'snapshot-write', slot: backupSlot, content })),
      { kind: 'snapshot-finish', slot: backupSlot, sha256: undefined },
    ];
    const next = (): void => {
      const job = jobs.shift();
      if (job !== undefined) runner.submit(job, (error) => (error === null ? next() : storage.close()));
      else {
        const { head, view } = readBackup(disk, path);
        const decoder = new StateDecoder({ meta: head.meta, index: head.index, term: head.term, featureLevelMax: this.featureLevel });
        for (const content of view) decoder.take(content);
        oracles.sameState(this.id, decoder.finish(), 'backed up');
        count(tally, 'backups');
      }
    };
    next();
  }

  /** Ends as a daemon does: the leadership is handed over, what is known is written, and the threads do what they were asked. `ended`: nothing of it runs any more. */
  close(ended: () => void): void {
    const { node, options: { scheduler } } = this;
    if (node === null) return;
    count(this.options.tally, 'closings');
    this.options.trace?.(`${this.id} closes`);
    const life = this.#life;
    const wait = (isOver: () => boolean, leftMs: number, done: () => void): void => {
      if (life !== this.#life) return;
      if (leftMs <= 0 || isOver()) done();
      else scheduler.after(5, () => wait(isOver, leftMs - 5, done));
    };
    const stop = (): void => {
      node.stop();
      wait(() => this.lanes.log.isIdle && this.lanes.bulk.isIdle, Infinity, () => {
        this.#stop();
        this.state = 'down';
        ended();
      });
    };
    this.act(() => node.handOver(closeMs, () => {
      node.flush();
      wait(() => node.isFlushed, closeMs, stop);
    }));
  }

  /** Leaves for good; its data are gone. */
  leave(): void {
    this.#stop();
    this.options.disk.wipe();
    this.state = 'left';
  }

  /** The event loop stands still. */
  stall(ms: number): void {
    this.options.trace?.(`${this.id} stalls ${ms.toFixed(0)} ms`);
    this.#frozenUntilMs = Math.max(this.#frozenUntilMs, this.options.scheduler.nowMs + ms);
  }

  /** Runs something of a caller as an event of this member. */
  act(run: (node: StoreNode) => void): void {
    const { node } = this;
    if (node !== null) this.#schedule(this.#life, 0, () => run(node), false);
  }

  #stop(): void {
    this.#life += 1;
    this.options.network.detach(this.id);
    this.node = null;
    this.rotation = null;
  }

  #died(life: number, error: AppError): void {
    if (life !== this.#life) return;
    this.options.trace?.(`${this.id} stops itself: ${error.code} ${error.message}`);
    if (error.cause instanceof SimFailure) throw error.cause;
    if (error.code === 'BASE_INTERNAL' || error.code === 'RAFT_LOG_DIVERGED' || error.code === 'RAFT_LOG_UNAVAILABLE') throw error;
    if (error.code === 'MANAGER_REMOVED') {
      this.leave();
      return;
    }
    this.crash(error.code);
  }

  #failedStart(error: unknown): void {
    if (error instanceof SimCrash) {
      this.crash('while it starts');
      return;
    }
    if (!(error instanceof AppError)) throw error;
    this.options.trace?.(`${this.id} does not start: ${error.code} ${error.message}`);
    if (refusals.includes(error.code)) {
      count(this.options.tally, 'starts refused');
      this.#stop();
      this.state = 'refused';
      this.refusal = error.message;
    } else if (error.code === 'OS_DISK_FULL' || error.code === 'OS_DISK_FAILED') this.crash(error.code);
    else throw error;
  }

  #schedule(life: number, delayMs: number, run: () => void, isTimer: boolean): () => void {
    const { scheduler } = this.options;
    let event = scheduler.after(delayMs, () => fire());
    const fire = (): void => {
      if (life !== this.#life) return;
      // NOTE: after a stall the timers run first, then what the sockets brought: as in the real event loop.
      if (scheduler.nowMs < this.#frozenUntilMs) event = scheduler.at(this.#frozenUntilMs + (isTimer ? 0 : 0.001), () => fire());
      else run();
    };
    return () => scheduler.cancel(event);
  }

  #log(): Log {
    const log: Log = {
      ...silentLog,
      warn: (event, fields) => this.options.trace?.(`${this.id} ${event} ${JSON.stringify(fields)}`),
      info: (event, fields) => {
        if (event !== 'store.role') this.options.trace?.(`${this.id} ${event} ${JSON.stringify(fields)}`);
      },
      child: () => log,
    };
    return log;
  }

  #runner(storage: Storage, life: number, lane: Lane): JobRunner {
    const queue: { readonly job: StorageJob; readonly done: (error: AppError | null, answer: StorageAnswer) => void }[] = [];
    const { scheduler, random, disk } = this.options;
    let isBusy = false;
    // The answer of an append that nobody awaits: kept until it is looked for.
    let kept: (() => void) | null = null;
    let isUnasked = false;
    const next = (): void => {
      const first = lane.isHeld ? undefined : queue.shift();
      isBusy = first !== undefined;
      if (first === undefined) return;
      const delayMs = (0.05 + random.float() * 0.4) * this.slowness + lane.delayMs();
      // NOTE: another thread: it goes on while the event loop stands still.
      scheduler.after(delayMs, () => {
        if (life !== this.#life) return;
        const fate = random.float() < this.crashRate ? randomBelow(random, 3) : -1;
        if (fate >= 0) count(this.options.tally, 'crashes at a disk job');
        if (fate === 0) return this.crash(`before ${first.job.kind}`);
        if (fate === 1) disk.crashAfter = randomBelow(random, 6);
        let error: AppError | null = null;
        let answer: StorageAnswer = { kind: 'done' };
        try {
          answer = storage.perform(first.job);
        } catch (thrown) {
          if (thrown instanceof SimCrash) return this.crash(`in ${first.job.kind}`);
          if (!(thrown instanceof AppError)) throw thrown;
          error = thrown;
        }
        disk.crashAfter = null;
        if (fate === 2) return this.crash(`after ${first.job.kind}`);
        const finish = (): void => first.done(error, answer);
        // NOTE: a refusal comes by itself, as it does from the thread.
        if (isUnasked && first.job.kind === 'append' && error === null) kept = finish;
        else this.#schedule(life, 0, finish, false);
        return next();
      });
    };
    lane.serve({
      isIdle: () => queue.length === 0 && !isBusy,
      kick: () => {
        if (life === this.#life && !isBusy) next();
      },
    });
    return {
      submit: (job, done) => {
        if (job.kind === 'append') isUnasked = !job.isAwaited;
        queue.push({ job, done });
        lane.queued(queue.length);
        if (!isBusy) next();
      },
      look: () => {
        const finish = kept;
        [kept, isUnasked] = [null, false];
        finish?.();
      },
      expect: () => {
        const finish = kept;
        [kept, isUnasked] = [null, false];
        if (finish !== null) this.#schedule(life, 0, finish, false);
      },
      close: (done) => done(),
    };
  }
}
