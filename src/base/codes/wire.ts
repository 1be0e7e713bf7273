/** Codes of the room `wire`: code → what it means. */
export const wireCodes = {} as const;
