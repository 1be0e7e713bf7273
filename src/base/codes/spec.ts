/** Codes of the room `spec`: code → what it means. */
export const specCodes = {} as const;
