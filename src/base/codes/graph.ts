/** Codes of the room `graph`: code → what it means. */
export const graphCodes = {
  GRAPH_CYCLE: 'Services depend on each other in a circle.',
} as const;
