import type { NodeHost } from './node-types.ts';
import { isDiskFull } from './wal.ts';

const retryMs = 1000;
const pauseFactor = 4;
const pauseMsMax = 200;
export const diskFullAlarm = 'disk-full';
/** Not even the segment that is being written takes more. */
export const logFullAlarm = 'log-full';

/**
 * Keeps one zero-filled segment ready. It is also the reserve for a full disk: when no new one can be made, the store takes
 * no more proposals and hands the leadership over, but what is under way still has room.
 */
export class Spare {
  readonly #host: NodeHost;
  #segmentId = 0;
  #isFilling = false;
  #isWanted = false;
  /** The log took a spare while the answer about one was on its way: it may be the same. */
  #isAskedAgain = false;
  #isReady = false;
  #isLogFull = false;
  #isStopped = false;
  #retryAtMs = 0;

  constructor(host: NodeHost) {
    this.#host = host;
  }

  prepare(): void {
    this.#isWanted = true;
    this.#isAskedAgain = this.#isFilling;
    this.#fill();
  }

  useSegment(segmentId: number): void {
    if (this.#segmentId !== 0 && segmentId !== this.#segmentId) {
      this.#isReady = false;
      this.prepare();
    }
    this.#segmentId = segmentId;
  }

  setLogFull(isFull: boolean): void {
    this.#isLogFull = isFull;
    if (isFull) this.#host.alarms.add(logFullAlarm);
    else this.#host.alarms.delete(logFullAlarm);
    this.#alarm(isFull || (this.#isWanted && !this.#isReady && this.#retryAtMs > 0));
  }

  stop(): void {
    this.#isStopped = true;
  }

  tick(): void {
    if (this.#retryAtMs > 0 && this.#host.env.clock.monotonicMs() >= this.#retryAtMs) this.#fill();
  }

  #fill(): void {
    if (this.#isFilling) return;
    this.#isFilling = true;
    const { bulkRunner, clock } = this.#host.env;
    const beganMs = clock.monotonicMs();
    bulkRunner.submit({ kind: 'fill-spare' }, (error, answer) => {
      this.#isFilling = false;
      if (error === null && answer.kind === 'filled' && !answer.isWhole) {
        // NOTE: in pieces with pauses: filling at full speed would hold up the log's syncs on the same disk for seconds.
        this.#isFilling = true;
        clock.after(Math.min(pauseMsMax, (clock.monotonicMs() - beganMs) * pauseFactor), () => {
          this.#isFilling = false;
          if (!this.#isStopped) this.#fill();
        }, true);
      } else if (error === null && this.#isAskedAgain && !this.#isStopped) {
        this.#isAskedAgain = false;
        this.#fill();
      } else if (error === null) {
        this.#isReady = true;
        this.#retryAtMs = 0;
        this.#alarm(this.#isLogFull);
      } else if (isDiskFull(error)) {
        this.#retryAtMs = this.#host.env.clock.monotonicMs() + retryMs;
        this.#alarm(true);
      } else this.#host.fail(error);
    });
  }

  #alarm(isOn: boolean): void {
    const { alarms, env, softState, core } = this.#host;
    if (isOn === alarms.has(diskFullAlarm)) return;
    env.log.warn('store.disk', { isFull: isOn });
    if (!isOn) {
      alarms.delete(diskFullAlarm);
      return;
    }
    alarms.add(diskFullAlarm);
    if (softState().role !== 'leader') return;
    const to = core.status().members.find((one) => one.member !== this.#host.options.memberId && !one.isLearner && one.isRecentActive);
    if (to !== undefined) core.transferLeader(to.member);
    env.soon(() => this.#host.pump());
  }
}
