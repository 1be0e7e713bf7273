/** Codes of the room `manager`: code → what it means. */
export const managerCodes = {
  MANAGER_NOT_LEADER: 'Another manager leads, or another term has begun: the decision is out of date.',
  MANAGER_NO_LEADER: 'No manager leads at the moment; nothing was proposed.',
  MANAGER_OUTCOME_UNKNOWN: 'The change may or may not have happened: its fate was not learnt in time.',
  MANAGER_STORE_FULL: 'The store takes no more changes: its disk or its queue is full.',
  MANAGER_OBJECT_TOO_LARGE: 'One object is larger than the store takes.',
  MANAGER_REVISION_COMPACTED: 'The revision asked for is older than what is kept.',
  MANAGER_CLOSED: 'The store was closed.',
} as const;
