/** Codes of the room `agent`: code → what it means. */
export const agentCodes = {
  AGENT_STEP_FAILED: 'An operation on a container failed for a reason that has no code of its own.',
  AGENT_NO_DEFINITION: 'A container is to be made from a version of its service that is no longer kept.',
  AGENT_RUN_ON_DISK: 'The run directory is no tmpfs; secrets get a file system in memory of their own there (warning).',
  AGENT_SECRETS_NOT_KEPT: 'No file system in memory could be had for secrets, so they are not kept beside the last assignment.',
} as const;
