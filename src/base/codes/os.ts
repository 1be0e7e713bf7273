/** Codes of the room `os`: code → what it means. */
export const osCodes = {
  OS_DISK_FULL: 'A write found no space left on the file system.',
  OS_DISK_MISSING: 'A file or directory that should be there is not.',
  OS_DISK_FAILED: 'The disk refused a read, write or sync.',
  OS_DATA_DIR_LOCKED: 'Another process uses this data directory, or this run directory.',
  OS_NETLINK: 'The kernel refused a change to the network.',
  OS_NFT: 'The kernel or the nft command refused a set of firewall rules.',
  OS_DAEMON_START: 'The daemon ended before it was ready.',
} as const;
