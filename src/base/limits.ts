/** Bounds of loops, queues and inputs, in one place, each with its unit in the name. */
export const limits = {
  /** One object of the store, encoded. Above it, a proposal is refused. */
  objectBytesMax: 1_500_000,
  /** One request body of the API, streams apart. */
  requestBytesMax: 64 * 1024 * 1024,
  /** One compose file. Larger ones are refused before they are read. */
  composeFileBytesMax: 16 * 1024 * 1024,
  /** Words and signs of one compose file, as its YAML is cut: what reading costs. */
  composeFileLexemesMax: 500_000,
  /** Values in one document of a compose file (the reference's own bound), and with its aliases copied in. */
  composeNodesMax: 100_000,
  composeValuesMax: 300_000,
  /** Levels of nesting in a compose file. */
  composeDepthMax: 200,
  /** Findings of one load. */
  diagnosticsMax: 200,
  /** An image manifest or index (the distribution spec's advice). */
  manifestBytesMax: 4 * 1024 * 1024,
} as const;
