import type { Change } from '../../src/model/entry.ts';
import type { ConfigObject } from '../../src/model/objects.ts';
import type { StoreNode } from '../../src/manager/store/node.ts';
import { randomBelow } from '../../src/base/random.ts';
import type { Random } from '../../src/base/random.ts';
import { check } from '../linearizability/checker.ts';
import type { Operation } from '../linearizability/checker.ts';
import { registerModel } from '../linearizability/models.ts';
import type { RegisterInput, RegisterOutput } from '../linearizability/models.ts';
import { SimFailure } from './oracles.ts';
import type { Oracles } from './oracles.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimMember } from './sim-member.ts';

type Call = { readonly key: string; readonly input: RegisterInput; output: RegisterOutput | null; readonly calledAt: number; answeredAt: number; readonly requestId: string | null; revision: number; isRefused: boolean; /** Asks so far. */ asks: number };

/** A client hangs up after so long, and asks again elsewhere, so often. */
const hangUpMs = 3000;
const asksMax = 3;

/** Nothing happened, says the store: it must be true. */
const definite: readonly string[] = ['MANAGER_NO_LEADER', 'MANAGER_NOT_LEADER', 'MANAGER_STORE_FULL', 'MANAGER_OBJECT_TOO_LARGE', 'MANAGER_CLOSED'];

/** Clients that read, write and compare-and-set a few registers through any member, and remember what they were told. */
export class SimClients {
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #oracles: Oracles;
  readonly #members: () => readonly SimMember[];
  readonly #keyCount: number;
  readonly #calls: Call[] = [];
  #order = 0;
  #made = 0;
  #isOver = false;
  /** The highest revision that anyone was told of. */
  #knownRevision = 0;
  padding = 0;
  acknowledged = 0;
  answeredReads = 0;

  constructor(options: { readonly scheduler: Scheduler; readonly random: Random; readonly oracles: Oracles; readonly members: () => readonly SimMember[]; readonly keyCount: number }) {
    this.#scheduler = options.scheduler;
    this.#random = options.random;
    this.#oracles = options.oracles;
    this.#members = options.members;
    this.#keyCount = options.keyCount;
  }

  get callCount(): number {
    return this.#calls.length;
  }

  start(count: number, thinkMs: number): void {
    for (let client = 0; client < count; client += 1) this.#later(thinkMs);
  }

  stop(): void {
    this.#isOver = true;
  }

  /** One write through a member, for the proof that the cluster lives again. */
  probe(member: SimMember, done: (isOk: boolean) => void): void {
    member.act((node) => this.#write(node, `probe-${member.id}`, null, () => done(this.#calls.at(-1) !== undefined), done));
  }

  /** What was said to be done is there; what was said not to have happened is not; and an order explains all answers. */
  checkAtEnd(): void {
    for (const call of this.#calls) {
      if (call.requestId === null) continue;
      const index = this.#oracles.indexOf(call.requestId);
      if (call.output?.kind === 'done' && index !== call.revision) throw new SimFailure(`acknowledged write lost: ${call.requestId} was acknowledged at ${call.revision}, found at ${index}`);
      if (call.isRefused && index !== null) throw new SimFailure(`a refused write happened: ${call.requestId} is at ${index}`);
    }
    const operations: Operation<RegisterInput, RegisterOutput>[] = this.#calls.filter((call) => !call.isRefused && (call.output !== null || call.input.kind !== 'read'));
    const verdict = check(registerModel, operations);
    if (!verdict.isLinearizable) throw new SimFailure(`not linearizable: key ${verdict.badKey}: ${JSON.stringify(operations.filter((one) => one.key === verdict.badKey))}`);
  }

  #later(thinkMs: number): void {
    this.#scheduler.after(this.#random.float() * thinkMs, () => {
      if (this.#isOver) return;
      this.#act(thinkMs);
    });
  }

  #act(thinkMs: number): void {
    const up = this.#members().filter((member) => member.state === 'up');
    const member = up[randomBelow(this.#random, Math.max(1, up.length))];
    if (member === undefined) {
      this.#later(thinkMs + 50);
      return;
    }
    let isSettled = false;
    const again = (): void => {
      if (isSettled) return;
      isSettled = true;
      this.#later(thinkMs);
    };
    // A client whose member is gone goes on elsewhere after a while; the fate of its call stays open.
    this.#scheduler.after(1500, again);
    const key = `k${randomBelow(this.#random, this.#keyCount)}`;
    const dice = this.#random.float();
    member.act((node) => {
      if (dice < 0.4) this.#read(node, key, again);
      else if (dice < 0.7) this.#write(node, key, null, again, again);
      else this.#write(node, key, node.state.view.tables.config.get(key)?.dataBase64 ?? '', again, again);
    });
  }

  #read(node: StoreNode, key: string, done: () => void): void {
    const call = this.#begin(key, { kind: 'read' }, null);
    const knownAtCall = this.#knownRevision;
    node.reads.read((error) => {
      if (error === null) {
        const { view } = node.state;
        if (view.revision < knownAtCall) throw new SimFailure(`stale read: revision ${view.revision} was read after ${knownAtCall} was known`);
        const value = view.tables.config.get(key)?.dataBase64 ?? null;
        this.answeredReads += 1;
        this.#end(call, { kind: 'read', value: value === null ? null : value.slice(0, 12) }, view.revision);
      }
      done();
    });
  }

  /** `expected`: null writes in any case; '' expects nothing there; else the value that this member sees. */
  #write(node: StoreNode, key: string, expected: string | null, done: () => void, answer: (isOk: boolean) => void): void {
    this.#made += 1;
    const value = `v${this.#made}`.padEnd(12);
    const requestId = `r${this.#made}`;
    const object: ConfigObject = { kind: 'config', id: key, version: 0, createdMs: 0, updatedMs: 0, name: key, projectName: null, key, labels: {}, dataBase64: value.padEnd(12 + this.padding, 'x'), digest: '' };
    const seen = node.state.view.tables.config.get(key);
    const change: Change = { kind: 'put', object, ifVersion: expected === null ? null : (seen?.version ?? 0) };
    const input: RegisterInput = expected === null ? { kind: 'write', value } : { kind: 'cas', from: seen === undefined ? null : seen.dataBase64.slice(0, 12), to: value };
    const call = this.#begin(key, input, requestId);
    this.#ask(node, call, { change, requestId, knownAtCall: this.#knownRevision }, (isOk) => {
      answer(isOk);
      done();
    });
  }

  /**
   * Who hears nothing for a while, or that the outcome is unknown, asks again with the same id, through any member. What the ask before is told
   * after that nobody hears: its client has hung up.
   */
  #ask(node: StoreNode, call: Call, request: { readonly change: Change; readonly requestId: string; readonly knownAtCall: number }, done: (isOk: boolean) => void): void {
    const { change, requestId, knownAtCall } = request;
    call.asks += 1;
    const ask = call.asks;
    let isToldOnce = false;
    const tell = (isOk: boolean): void => {
      if (!isToldOnce) done(isOk);
      isToldOnce = true;
    };
    const again = (): void => {
      if (call.asks !== ask || call.output !== null || call.isRefused || ask >= asksMax || this.#isOver) return;
      const up = this.#members().filter((member) => member.state === 'up');
      up[call.calledAt % Math.max(1, up.length)]?.act((other) => this.#ask(other, call, request, tell));
    };
    if (ask < asksMax) this.#scheduler.after(hangUpMs, again);
    node.proposals.propose({
      changes: [change], requestId, isFirstAsk: ask === 1, fence: null,
      done: (error, outcome) => {
        if (call.asks !== ask) return;
        if (outcome !== null) {
          if (outcome.revision <= knownAtCall) throw new SimFailure(`order: ${requestId} got revision ${outcome.revision} after ${knownAtCall} was known`);
          this.#end(call, { kind: 'done', isOk: outcome.kind === 'applied' }, outcome.revision);
          this.acknowledged += 1;
        } else if (error !== null && definite.includes(error.code)) call.isRefused = true;
        else again();
        tell(outcome !== null);
      },
    });
  }

  #begin(key: string, input: RegisterInput, requestId: string | null): Call {
    this.#order += 1;
    const call: Call = { key, input, output: null, calledAt: this.#order, answeredAt: Infinity, requestId, revision: 0, isRefused: false, asks: 0 };
    this.#calls.push(call);
    return call;
  }

  #end(call: Call, output: RegisterOutput, revision: number): void {
    this.#order += 1;
    call.output = output;
    call.answeredAt = this.#order;
    call.revision = revision;
    this.#knownRevision = Math.max(this.#knownRevision, revision);
  }
}
