import { assert } from '../../base/assert.ts';
import type { StoreEvent } from '../../model/entry.ts';
import { allocate } from './allocate.ts';
import type { Draft, Makers } from './draft.ts';
import { gate } from './gate.ts';
import { orchestrate } from './orchestrate.ts';
import { reap } from './reap.ts';
import { schedule } from './schedule/schedule.ts';
import { allOf, type View } from '../state/view.ts';

/** Each round brings every task at most one step further; more than this many is a circle of decisions. */
const roundsMax = 100;

/**
 * Runs the deciders over the projects until none of them has anything more to say, each seeing what those before it said.
 * A second run changes nothing. Bound: rounds × what one project holds.
 */
function settle(draft: Draft, projectNames: Iterable<string>, makers: Makers): void {
  for (const projectName of [...projectNames].sort()) {
    let rounds = 0;
    for (let isChanged = true; isChanged; rounds += 1) {
      assert(rounds < roundsMax, `the decisions about ${projectName} do not come to an end`);
      isChanged = draft.apply(reap(draft.view, projectName));
      isChanged = draft.apply(orchestrate(draft.view, projectName, makers)) || isChanged;
      isChanged = draft.apply(schedule(draft.view, projectName)) || isChanged;
      isChanged = draft.apply(allocate(draft.view, projectName)) || isChanged;
      isChanged = draft.apply(gate(draft.view, projectName)) || isChanged;
    }
  }
}

/** Settles what the draft so far concerns, and `more`; what one project gives up another may wait for, so it goes on until a wave changes nothing. */
export function settleAll(draft: Draft, more: Iterable<string>, makers: Makers): void {
  let names = new Set([...more, ...concernedProjects(draft.view, draft.events())]);
  for (let waves = 0; names.size > 0; waves += 1) {
    assert(waves < roundsMax, 'the decisions about several projects do not come to an end');
    const before = draft.events().length;
    settle(draft, names, makers);
    names = concernedProjects(draft.view, draft.events().slice(before));
  }
}

/** The projects that something of an entry concerns. What belongs to none (a node, a pool) concerns all. */
export function concernedProjects(view: View, events: readonly StoreEvent[]): Set<string> {
  const names = new Set<string>();
  for (const { object } of events) {
    if (object.kind === 'project') names.add(object.name);
    else if (object.kind === 'node' || object.kind === 'cluster' || object.projectName === null) for (const name of projectNames(view)) names.add(name);
    else names.add(object.projectName);
    // What leaves makes room: an address, a port, a name that others wait for.
    if (object.kind === 'network' || object.kind === 'task') for (const name of waitingProjects(view)) names.add(name);
  }
  return names;
}

export function projectNames(view: View): string[] {
  const names = new Set(allOf(view, 'project').map((one) => one.name));
  for (const service of allOf(view, 'service')) names.add(service.projectName);
  for (const network of allOf(view, 'network')) if (network.projectName !== null) names.add(network.projectName);
  return [...names].sort();
}

/** Projects with a task that is not placed yet or has no addresses. */
function waitingProjects(view: View): Set<string> {
  const names = new Set<string>();
  for (const task of view.tables.task.values()) if (!task.isAllocated && task.desired !== 'removed') names.add(task.projectName);
  return names;
}

