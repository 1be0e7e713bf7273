/** Codes of the room `base`: code → what it means. */
export const baseCodes = {
  BASE_INTERNAL: 'A rule the program relies on was broken: a defect in Flotilla, not in your input.',
  BASE_LIMIT: 'An input or a queue is larger than its stated limit.',
} as const;
