/** Codes of the room `cli`: code → what it means. */
export const cliCodes = {} as const;
