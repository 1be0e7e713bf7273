/** Bounds of loops, queues and inputs, in one place, each with its unit in the name. */
export const limits = {
  /** One object of the store, encoded. Above it, a proposal is refused. */
  objectBytesMax: 1_500_000,
  /** One request body of the API, streams apart. */
  requestBytesMax: 64 * 1024 * 1024,
  /** The log of a daemon that a command started; one older file of the same size is kept. */
  daemonLogBytesMax: 8 * 1024 * 1024,
  /** Containers of one service. */
  replicasMax: 5_000,
  /** Containers that a published port leads to on a node: divisible by 1 to 6, 8, 10, 12, 15, 16, so the shares are equal there. */
  portTargetsMax: 240,
  /** One compose file. Larger ones are refused before they are read. */
  composeFileBytesMax: 2 * 1024 * 1024,
  /** Words and signs of one compose file, as its YAML is cut: what reading costs. */
  composeFileLexemesMax: 400_000,
  /** Documents in one compose file. */
  composeDocumentsMax: 100,
  /** Values in one document of a compose file (the reference's own bound), and with its aliases copied in. */
  composeNodesMax: 100_000,
  composeValuesMax: 300_000,
  /** Levels of nesting in a compose file. */
  composeDepthMax: 200,
  /** Files taken in by `include`, each counted as often as it is included. */
  composeIncludesMax: 1_000,
  /** Services that one service extends, one after the other. */
  composeExtendsMax: 500,
  /** Ports of one application, ranges counted out. */
  composePortsMax: 25_000,
  /** Findings of one load. */
  diagnosticsMax: 200,
  /** Characters of a finding's message or hint. */
  diagnosticTextMax: 600,
  /** An image manifest or index (the distribution spec's advice). */
  manifestBytesMax: 4 * 1024 * 1024,
  /** Entries of one layer's archive. */
  layerEntriesMax: 2_000_000,
  /** A path in a layer: what Linux takes in one call. */
  layerPathBytesMax: 4095,
  /** One layer, unpacked. */
  layerBytesMax: 64 * 1024 * 1024 * 1024,
  /** A layer that unpacks to more than this many times its size is a bomb, once it is above `layerBombBytesMin`. */
  layerRatioMax: 250,
  layerBombBytesMin: 256 * 1024 * 1024,
  /** Layers of one image; overlayfs takes 500. */
  imageLayersMax: 256,
  /** Blobs of one image that are fetched at the same time. */
  pullLayersAtOnce: 3,
  /** Processes that unpack layers, for all pulls together. */
  unpackersMax: 6,
} as const;
