/** Codes of the room `spec`: code → what it means. */
export const specCodes = {
  SPEC_UNKNOWN_KEY: 'A key is not part of the Compose language at this place.',
  SPEC_BAD_NAME: 'The name of a service, network, volume, secret, config or model has characters that are not allowed.',
  SPEC_WRONG_TYPE: 'A value has the wrong shape: text where a list belongs, and the like.',
  SPEC_MISSING_KEY: 'A key that must be given is missing.',
  SPEC_BAD_VALUE: 'A value is not among those that are allowed.',
  SPEC_DUPLICATE_ITEM: 'A list holds the same item twice.',
} as const;
