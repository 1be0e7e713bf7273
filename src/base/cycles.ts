/** Who points to whom, by name. Names that have no entry of their own are ends. */
export type Edges = ReadonlyMap<string, readonly string[]>;

/** Steps of the search in one knot of names. A knot can hold more circles than there is time. */
const stepsMax = 200_000;

/**
 * The elementary circles of a graph: `[a, b]` means a → b → a. Each begins with its first name in alphabetical order.
 * Out: sorted, at most `cyclesMax`; at least one for each knot of names, so that "none" is certain.
 * Bound: linear where there is no circle. Source: Tarjan 1972 (knots), Johnson 1975 (circles), both without recursion.
 */
export function findCycles(edges: Edges, cyclesMax: number): string[][] {
  const names = [...new Set([...edges.keys(), ...[...edges.values()].flat()])].sort();
  const index = new Map(names.map((name, i) => [name, i]));
  const next = names.map((name) => [...new Set(edges.get(name) ?? [])].map((to) => index.get(to) ?? 0).sort((a, b) => a - b));
  const found: number[][] = [];
  for (const knot of knotsOf(next)) {
    if (found.length >= cyclesMax) break;
    const members = new Set(knot);
    const steps = { left: stepsMax };
    for (const start of knot.sort((a, b) => a - b)) {
      if (found.length >= cyclesMax || steps.left <= 0) break;
      circlesThrough({ start, next, members, steps, room: cyclesMax - found.length }, found);
      members.delete(start);
    }
  }
  return found.map((cycle) => cycle.map((i) => names[i] ?? '')).sort((a, b) => (a.join('\n') < b.join('\n') ? -1 : 1));
}

/** `a → b → a`; of a long circle the middle is left out. */
export function cycleText(cycle: readonly string[]): string {
  const shown = cycle.length <= 16 ? cycle : [...cycle.slice(0, 10), `… ${cycle.length - 14} more …`, ...cycle.slice(-4)];
  return [...shown, ...cycle.slice(0, 1)].join(' → ');
}

type Next = readonly (readonly number[])[];

/** Strongly connected components that hold a circle: more than one node, or one that points to itself. */
function knotsOf(next: Next): number[][] {
  const order = new Int32Array(next.length).fill(-1);
  const low = new Int32Array(next.length);
  const isOpen = new Uint8Array(next.length);
  const open: number[] = [];
  const knots: number[][] = [];
  let count = 0;
  for (let root = 0; root < next.length; root += 1) {
    if (order[root] !== -1) continue;
    const frames: { node: number; at: number }[] = [];
    const enter = (node: number): void => {
      order[node] = low[node] = count;
      count += 1;
      open.push(node);
      isOpen[node] = 1;
      frames.push({ node, at: 0 });
    };
    enter(root);
    for (let frame = frames[frames.length - 1]; frame !== undefined; frame = frames[frames.length - 1]) {
      const { node } = frame;
      const to = next[node]?.[frame.at];
      frame.at += 1;
      if (to !== undefined) {
        if (order[to] === -1) enter(to);
        else if (isOpen[to] === 1) low[node] = Math.min(low[node] ?? 0, order[to] ?? 0);
        continue;
      }
      frames.pop();
      const parent = frames[frames.length - 1];
      if (parent !== undefined) low[parent.node] = Math.min(low[parent.node] ?? 0, low[node] ?? 0);
      if (low[node] !== order[node]) continue;
      const knot = open.splice(open.lastIndexOf(node));
      for (const member of knot) isOpen[member] = 0;
      if (knot.length > 1 || next[node]?.includes(node) === true) knots.push(knot);
    }
  }
  return knots;
}

type Search = { readonly start: number; readonly next: Next; readonly members: ReadonlySet<number>; readonly steps: { left: number }; readonly room: number };

function circlesThrough({ start, next, members, steps, room }: Search, found: number[][]): void {
  const blocked = new Set([start]);
  const waiting = new Map<number, Set<number>>();
  const path = [start];
  const frames = [{ node: start, at: 0, isFound: false }];
  const limit = found.length + room;
  for (let frame = frames[frames.length - 1]; frame !== undefined; frame = frames[frames.length - 1]) {
    steps.left -= 1;
    if (found.length >= limit || steps.left <= 0) return;
    const to = next[frame.node]?.[frame.at];
    frame.at += 1;
    if (to !== undefined) {
      if (to === start) {
        found.push([...path]);
        frame.isFound = true;
      } else if (members.has(to) && !blocked.has(to)) {
        blocked.add(to);
        path.push(to);
        frames.push({ node: to, at: 0, isFound: false });
      }
      continue;
    }
    frames.pop();
    path.pop();
    const parent = frames[frames.length - 1];
    if (frame.isFound) {
      if (parent !== undefined) parent.isFound = true;
      unblock(frame.node, blocked, waiting);
    } else {
      for (const one of next[frame.node] ?? []) waiting.set(one, (waiting.get(one) ?? new Set<number>()).add(frame.node));
    }
  }
}

function unblock(node: number, blocked: Set<number>, waiting: Map<number, Set<number>>): void {
  const pending = [node];
  for (let one = pending.pop(); one !== undefined; one = pending.pop()) {
    if (!blocked.delete(one)) continue;
    pending.push(...(waiting.get(one) ?? []));
    waiting.delete(one);
  }
}
