/** Codes of the room `agent`: code → what it means. */
export const agentCodes = {
  AGENT_STEP_FAILED: 'An operation on a container failed for a reason that has no code of its own.',
  AGENT_NO_DEFINITION: 'A container is to be made from a version of its service that is no longer kept.',
} as const;
