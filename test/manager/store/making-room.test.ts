import { expect, test } from 'vitest';
import { isMakingRoom } from '../../../src/manager/store/proposals.ts';
import type { Change } from '../../../src/model/entry.ts';
import { allOf } from '../../../src/cluster/state/view.ts';
import { decideDown } from '../../../src/cluster/decide/commands.ts';
import { decideReport } from '../../../src/cluster/decide/report.ts';
import { decideStack } from '../../../src/cluster/decide/stack.ts';
import { Draft } from '../../../src/cluster/decide/draft.ts';
import { settleAll } from '../../../src/cluster/decide/settle.ts';
import type { View } from '../../../src/cluster/state/view.ts';
import { deployment, node, service, World } from '../../cluster/world.ts';

/** What the planner proposes for a decision. */
function proposed(world: World, decide: (view: View) => readonly Change[]): readonly Change[] {
  const draft = new Draft(world.view, world.nowMs);
  draft.apply(decide(draft.view));
  settleAll(draft, [], world.makers);
  return draft.changes();
}

test('on a full disk a down and the reports of what is there are taken, an up is not', () => {
  const world = new World();
  world.up(deployment({ web: service() }));
  world.settle();
  const [task] = allOf(world.view, 'task');
  if (task === undefined) throw new Error('no task');
  const down = proposed(world, (view) => decideDown(view, { projectName: 'shop', services: [], removeVolumes: true, removeOrphans: false, stopGraceMs: null, fileServices: null }));
  const report = proposed(world, (view) => decideReport(view, { nodeId: node.nodeId, tasks: [{ taskId: task.id, status: { ...task.status, restarts: 3 } }], removedVolumes: [] }));
  const up = proposed(world, (view) => decideStack(view, deployment({ web: service({ image: 'nginx' }) }), world.makers).changes);
  expect([down.length > 0, isMakingRoom(down)]).toEqual([true, true]);
  expect([report.length > 0, isMakingRoom(report)]).toEqual([true, true]);
  expect([up.length > 0, isMakingRoom(up)]).toEqual([true, false]);
});
