/** Codes of the room `manager`: code → what it means. */
export const managerCodes = {} as const;
