/** Bounds of loops, queues and inputs, in one place, each with its unit in the name. */
export const limits = {
  /** One object of the store, encoded. Above it, a proposal is refused. */
  objectBytesMax: 1_500_000,
  /** One request body of the API, streams apart. */
  requestBytesMax: 64 * 1024 * 1024,
  /** One compose file. */
  composeFileBytesMax: 50 * 1024 * 1024,
  /** An image manifest or index (the distribution spec's advice). */
  manifestBytesMax: 4 * 1024 * 1024,
} as const;
