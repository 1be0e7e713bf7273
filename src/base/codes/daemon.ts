/** Codes of the room `daemon`: code → what it means. */
export const daemonCodes = {
  DAEMON_BAD_CONFIG: 'The configuration of the daemon has errors.',
  DAEMON_USAGE: 'The daemon was started with words it does not know.',
  DAEMON_NOT_ROOT: 'The daemon needs root.',
  DAEMON_BAD_REQUEST: 'A call of the API has not the shape that was agreed.',
  DAEMON_CONTAINER_NOT_FOUND: 'No container has this name or id.',
  DAEMON_IMAGE_NOT_FOUND: 'No image has this name or id.',
  DAEMON_VOLUME_NOT_FOUND: 'No volume has this name.',
  DAEMON_NETWORK_NOT_FOUND: 'No network has this name or id.',
  DAEMON_TIMEOUT: 'The wish was recorded, but was not fulfilled in the given time.',
} as const;
