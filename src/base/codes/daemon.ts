/** Codes of the room `daemon`: code → what it means. */
export const daemonCodes = {} as const;
