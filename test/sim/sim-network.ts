import { randomBelow } from '../../src/base/random.ts';
import type { Random } from '../../src/base/random.ts';
import { decodeEnvelope, encodeEnvelope } from '../../src/manager/store/message-codec.ts';
import type { Envelope, Lane } from '../../src/manager/store/host-messages.ts';
import type { Scheduler } from './scheduler.ts';

export type NetworkFaults = {
  dropRate: number;
  /** Only messages of the consensus core: the others travel on connections, which repeat nothing. */
  repeatRate: number;
  slowRate: number;
  delayMs: number;
  slowMs: number;
  /** Larger messages are refused before they are parsed. */
  messageBytesMax: number;
  /** How often a member notices that another's connection broke. */
  noticeRate: number;
  /** Messages go through their bytes, as on a real wire. */
  isEncoded: boolean;
};

/** The network between members: it loses, repeats, delays, reorders, and cuts, also one way only. */
export class SimNetwork {
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly faults: NetworkFaults;
  /** `from>to` pairs that hear nothing. */
  readonly cut: Set<string> = new Set();
  readonly #receivers: Map<string, (envelope: Envelope) => void> = new Map();
  readonly #lost: Map<string, (other: string) => void> = new Map();
  sentCount = 0;
  /** So long a chunk of a snapshot takes on the one slow link there is, on which they come one after the other. */
  chunkMs = 0;
  #linkFreeMs = 0;
  /** Who looks for the moment within the transfer of a snapshot. */
  onChunk: ((from: string, to: string) => void) | null = null;

  constructor(scheduler: Scheduler, random: Random, faults: NetworkFaults) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.faults = faults;
  }

  attach(member: string, receive: (envelope: Envelope) => void, lost: (other: string) => void): void {
    this.#receivers.set(member, receive);
    this.#lost.set(member, lost);
  }

  /** The process ended: its connections break, and the others notice, most of the time. */
  detach(member: string): void {
    if (!this.#receivers.delete(member)) return;
    for (const [other, lost] of this.#lost) {
      if (other !== member && !this.cut.has(`${member}>${other}`) && this.#random.float() < this.faults.noticeRate) this.#scheduler.after(this.#random.float() * 5, () => lost(member));
    }
    this.#lost.delete(member);
  }

  send(envelope: Envelope, _lane: Lane): void {
    this.sentCount += 1;
    const { faults } = this;
    const random = this.#random;
    if (this.cut.has(`${envelope.from}>${envelope.to}`) || random.float() < faults.dropRate) return;
    let sent = envelope;
    if (faults.isEncoded || envelope.message.kind === 'snapshot-chunk') {
      const bytes = encodeEnvelope(envelope);
      if (bytes.length > faults.messageBytesMax) return;
      sent = decodeEnvelope(bytes);
    }
    if (envelope.message.kind === 'snapshot-chunk') this.onChunk?.(envelope.from, envelope.to);
    this.#deliver(sent);
    if (envelope.message.kind === 'raft' && random.float() < faults.repeatRate) this.#deliver(sent);
  }

  /** The slow link stands still. */
  pauseLink(ms: number): void {
    this.#linkFreeMs = Math.max(this.#linkFreeMs, this.#scheduler.nowMs) + ms;
  }

  #deliver(envelope: Envelope): void {
    const { faults } = this;
    const isOnSlowLink = this.chunkMs > 0 && envelope.message.kind === 'snapshot-chunk';
    if (isOnSlowLink) this.pauseLink(this.chunkMs);
    const delayMs = isOnSlowLink ? this.#linkFreeMs - this.#scheduler.nowMs : this.#random.float() < faults.slowRate ? randomBelow(this.#random, faults.slowMs) : 0.05 + this.#random.float() * faults.delayMs;
    this.#scheduler.after(delayMs, () => {
      if (!this.cut.has(`${envelope.from}>${envelope.to}`)) this.#receivers.get(envelope.to)?.(envelope);
    });
  }
}
