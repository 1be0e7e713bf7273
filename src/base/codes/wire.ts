/** Codes of the room `wire`: code → what it means. */
export const wireCodes = {
  WIRE_NO_DAEMON: 'Nothing listens on the socket of the daemon.',
  WIRE_DENIED: 'This user may not open the socket of the daemon.',
  WIRE_NO_ROUTE: 'The daemon has no such call.',
  WIRE_BODY_TOO_LARGE: 'A request is larger than the daemon takes.',
  WIRE_BAD_JSON: 'What came over the connection is not what was agreed.',
  WIRE_LOST: 'The connection ended before the answer did.',
} as const;
