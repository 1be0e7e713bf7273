import { unreachable } from '../base/assert.ts';
import { startOrder } from './order.ts';
import type { Edge, Graph } from './graph.ts';

export type GraphFormat = 'dot' | 'mermaid' | 'json';

/** The graph as text: an arrow leads from a service to what it needs. The same graph gives the same bytes. */
export function printGraph(graph: Graph, format: GraphFormat): string {
  switch (format) {
    case 'dot':
      return dot(graph);
    case 'mermaid':
      return mermaid(graph);
    case 'json':
      return json(graph);
    default:
      return unreachable(format);
  }
}

function dot(graph: Graph): string {
  const quote = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
  const nodes = graph.names.map((name) => `  ${quote(name)};`);
  const edges = edgesOf(graph).map((edge) => `  ${quote(edge.from)} -> ${quote(edge.to)} [label=${quote(labelOf(edge))}${edge.isRequired ? '' : ', style=dashed'}];`);
  return ['digraph services {', '  rankdir=LR;', ...nodes, ...edges, '}', ''].join('\n');
}

function mermaid(graph: Graph): string {
  // Service names can hold dots and dashes, which Mermaid's ids can not.
  const ids = new Map(graph.names.map((name, index) => [name, `s${index}`]));
  const nodes = graph.names.map((name) => `  ${ids.get(name) ?? ''}["${name}"]`);
  const edges = edgesOf(graph).map((edge) => `  ${ids.get(edge.from) ?? ''} ${edge.isRequired ? '-->' : '-.->'}|${labelOf(edge)}| ${ids.get(edge.to) ?? ''}`);
  return ['flowchart LR', ...nodes, ...edges, ''].join('\n');
}

function json(graph: Graph): string {
  const order = startOrder(graph);
  const edges = edgesOf(graph).map((edge) => ({
    from: edge.from,
    to: edge.to,
    reason: edge.reason,
    condition: edge.condition,
    required: edge.isRequired,
    restart: edge.isRestarted,
  }));
  return `${JSON.stringify({ services: graph.names, edges, ...(order.ok ? { levels: order.levels } : { cycles: order.cycles }) }, null, 2)}\n`;
}

function edgesOf(graph: Graph): Edge[] {
  return graph.names.flatMap((name) => graph.needs.get(name) ?? []);
}

const conditionWords: Readonly<Record<Edge['condition'], string>> = { service_started: 'started', service_healthy: 'healthy', service_completed_successfully: 'completed' };

function labelOf(edge: Edge): string {
  return edge.reason === 'depends_on' ? conditionWords[edge.condition] : edge.reason;
}
