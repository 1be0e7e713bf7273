/** Codes of the room `os`: code → what it means. */
export const osCodes = {} as const;
