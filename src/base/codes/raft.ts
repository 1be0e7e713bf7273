/** Codes of the room `raft`: code → what it means. */
export const raftCodes = {} as const;
