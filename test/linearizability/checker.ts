/**
 * Decides whether a history is linearizable: the algorithm of Wing and Gong with Lowe's memory of visited configurations
 * (G. Lowe, Testing for Linearizability, 2017), key by key (Horn and Kroening, P-compositionality, 2015).
 */
export type Operation<Input, Output> = {
  /** Operations of different keys are checked apart. */
  readonly key: string;
  readonly input: Input;
  /** null: never answered; it may take effect at any time after its call, or never. */
  readonly output: Output | null;
  /** Places in one total order of calls and answers. */
  readonly calledAt: number;
  readonly answeredAt: number;
};

export type Model<State, Input, Output> = {
  readonly first: State;
  /** The state after, or undefined where the output is impossible in this state. */
  readonly step: (state: State, input: Input, output: Output | null) => State | undefined;
  /** Equal states have equal texts. */
  readonly print: (state: State) => string;
};

export type Verdict = { readonly isLinearizable: boolean; readonly badKey: string | null };

export function check<State, Input, Output>(model: Model<State, Input, Output>, operations: readonly Operation<Input, Output>[]): Verdict {
  const byKey = new Map<string, Operation<Input, Output>[]>();
  for (const operation of operations) {
    const list = byKey.get(operation.key);
    if (list === undefined) byKey.set(operation.key, [operation]);
    else list.push(operation);
  }
  // The hardest key may be fine and an easy one wrong: every key gets a little time first, then those that are left get more.
  let open = [...byKey];
  for (let stepsMax = 10_000; open.length > 0; stepsMax *= 8) {
    const left: typeof open = [];
    for (const [key, list] of open) {
      const verdict = checkOne(model, list, stepsMax);
      if (verdict === false) return { isLinearizable: false, badKey: key };
      if (verdict === null) left.push([key, list]);
    }
    open = left;
  }
  return { isLinearizable: true, badKey: null };
}

/** A list of call and answer events, linked so that taking an operation out and putting it back is O(1). */
type Node = { readonly id: number; readonly isCall: boolean; match: Node | null; before: Node | null; after: Node | null };

/** null: not decided within `stepsMax`. */
function checkOne<State, Input, Output>(model: Model<State, Input, Output>, operations: readonly Operation<Input, Output>[], stepsMax: number): boolean | null {
  const head = linkEvents(operations);
  // Those never answered need not take effect: when all others have their place, the history is explained.
  let openCount = operations.filter((operation) => operation.output !== null).length;
  const done = new Uint32Array(Math.ceil(operations.length / 32));
  const visited = new Set<string>();
  const stack: { readonly node: Node; readonly state: State }[] = [];
  let state = model.first;
  let node = head.after;
  for (let steps = 0; openCount > 0; steps += 1) {
    if (steps > stepsMax) return null;
    if (node?.isCall === true) {
      const operation = operations[node.id];
      const next = operation === undefined ? undefined : model.step(state, operation.input, operation.output);
      if (next !== undefined && isNew(visited, done, node.id, model.print(next))) {
        stack.push({ node, state });
        state = next;
        setBit(done, node.id, true);
        if (operation?.output !== null) openCount -= 1;
        lift(node);
        node = head.after;
      } else node = node.after;
    } else {
      // An answer was reached before its call found a place (or the end): go back.
      const last = stack.pop();
      if (last === undefined) return false;
      state = last.state;
      setBit(done, last.node.id, false);
      if (operations[last.node.id]?.output !== null) openCount += 1;
      unlift(last.node);
      node = last.node.after;
    }
  }
  return true;
}

function linkEvents(operations: readonly Operation<unknown, unknown>[]): Node {
  const events: { readonly at: number; readonly node: Node }[] = [];
  operations.forEach((operation, id) => {
    const call: Node = { id, isCall: true, match: null, before: null, after: null };
    events.push({ at: operation.calledAt, node: call });
    if (operation.output === null) return;
    const answer: Node = { id, isCall: false, match: null, before: null, after: null };
    call.match = answer;
    events.push({ at: operation.answeredAt, node: answer });
  });
  events.sort((a, b) => a.at - b.at || Number(b.node.isCall) - Number(a.node.isCall));
  const head: Node = { id: -1, isCall: false, match: null, before: null, after: null };
  let last = head;
  for (const { node } of events) {
    last.after = node;
    node.before = last;
    last = node;
  }
  return head;
}

function lift(call: Node): void {
  unlink(call);
  if (call.match !== null) unlink(call.match);
}

function unlift(call: Node): void {
  if (call.match !== null) relink(call.match);
  relink(call);
}

function unlink(node: Node): void {
  if (node.before !== null) node.before.after = node.after;
  if (node.after !== null) node.after.before = node.before;
}

function relink(node: Node): void {
  if (node.before !== null) node.before.after = node;
  if (node.after !== null) node.after.before = node;
}

function isNew(visited: Set<string>, done: Uint32Array, id: number, state: string): boolean {
  setBit(done, id, true);
  const text = `${String.fromCharCode(...new Uint16Array(done.buffer))}|${state}`;
  setBit(done, id, false);
  if (visited.has(text)) return false;
  visited.add(text);
  return true;
}

function setBit(bits: Uint32Array, at: number, isSet: boolean): void {
  const word = bits[at >>> 5] ?? 0;
  bits[at >>> 5] = isSet ? word | (1 << (at & 31)) : word & ~(1 << (at & 31));
}
