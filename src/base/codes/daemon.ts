/** Codes of the room `daemon`: code → what it means. */
export const daemonCodes = {
  DAEMON_BAD_CONFIG: 'The configuration of the daemon has errors.',
  DAEMON_RUNNING: 'Another daemon uses this data directory.',
  DAEMON_USAGE: 'The daemon was started with words it does not know.',
  DAEMON_NOT_ROOT: 'The daemon needs root.',
  DAEMON_BAD_REQUEST: 'A call of the API has not the shape that was agreed.',
  DAEMON_CONTAINER_NOT_FOUND: 'No container has this name or id.',
  DAEMON_CONTAINER_OF_PROJECT: 'A container that a project wishes for can only be removed through its project.',
  DAEMON_IMAGE_NOT_FOUND: 'No image has this name or id.',
  DAEMON_VOLUME_NOT_FOUND: 'No volume has this name.',
  DAEMON_NETWORK_NOT_FOUND: 'No network has this name or id.',
  DAEMON_PROJECT_NOT_FOUND: 'No project of this name is known.',
  DAEMON_UP_FAILED: 'Some services of the project could not be brought up.',
  DAEMON_TIMEOUT: 'The wish was recorded, but was not fulfilled in the given time.',
} as const;
