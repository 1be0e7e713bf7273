/** Codes of the room `net`: code → what it means. */
export const netCodes = {} as const;
