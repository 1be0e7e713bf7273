/** Codes of the room `cluster`: code → what it means. */
export const clusterCodes = {} as const;
