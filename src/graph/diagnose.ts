import { cycleText } from '../base/cycles.ts';
import type { Diagnostic } from '../base/diagnostic.ts';
import { cyclesOf } from './order.ts';
import type { Graph } from './graph.ts';

/** One error a circle. The caller adds where the first service's `depends_on` stands. */
export function diagnoseCycles(graph: Graph): Diagnostic[] {
  return cyclesOf(graph).map((cycle) => ({
    severity: 'error',
    code: 'GRAPH_CYCLE',
    message: cycle.length === 1 ? `service \`${cycle[0] ?? ''}\` depends on itself` : `services depend on each other in a circle: ${cycleText(cycle)}`,
    hint: 'Take one of these dependencies away: none of the services could start first.',
    line: 0,
    column: 0,
    path: `services.${cycle[0] ?? ''}.depends_on`,
  }));
}
