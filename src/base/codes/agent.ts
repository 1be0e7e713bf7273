/** Codes of the room `agent`: code → what it means. */
export const agentCodes = {
  AGENT_STEP_FAILED: 'An operation on a container failed for a reason that has no code of its own.',
} as const;
