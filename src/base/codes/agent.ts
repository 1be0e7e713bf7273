/** Codes of the room `agent`: code → what it means. */
export const agentCodes = {} as const;
