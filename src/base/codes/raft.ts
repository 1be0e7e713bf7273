/** Codes of the room `raft`: code → what it means. */
export const raftCodes = {
  RAFT_NOT_LEADER: 'This member does not lead, so it cannot do that; the leader can.',
  RAFT_NO_LEADER: 'No leader is known just now: an election is under way or the quorum is lost.',
  RAFT_NOT_VOTER: 'The member is not a voter, so it can neither campaign nor be handed the leadership.',
  RAFT_TRANSFERRING: 'The leadership is being handed over; proposals wait until that is done.',
  RAFT_BUSY: 'Too much is waiting already (proposals or reads); try again later.',
  RAFT_ENTRY_TOO_LARGE: 'One entry is larger than its limit.',
  RAFT_WRONG_CLUSTER: 'A message of another cluster arrived.',
  RAFT_WRONG_ADDRESS: 'A message for another member arrived.',
  RAFT_REMOVED_MEMBER: 'A message of a member that was removed arrived. A removed member returns only under a new id.',
  RAFT_UNKNOWN_MEMBER: 'The member is not part of the configuration.',
  RAFT_CONF_PENDING: 'Another change of members is not finished yet.',
  RAFT_CONF_INVALID: 'The change of members breaks a rule of the configuration.',
  RAFT_NOT_READY: 'The leader is new and has not applied an entry of its own term yet.',
  RAFT_BAD_MESSAGE: 'A message has a field outside its range.',
  RAFT_LOG_DIVERGED: 'A message contradicts an entry that is already committed here: data was lost somewhere. The member stops rather than damage its log.',
  RAFT_LOG_UNAVAILABLE: 'The log does not hold an entry that it must hold.',
} as const;
