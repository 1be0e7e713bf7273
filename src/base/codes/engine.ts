/** Codes of the room `engine`: code → what it means. */
export const engineCodes = {} as const;
