/** Codes of the room `cli`: code → what it means. */
export const cliCodes = {
  CLI_UNKNOWN_COMMAND: 'There is no such command.',
  CLI_USAGE: 'The words after the command are not what it takes.',
  CLI_NOT_YET: 'A command or flag of Compose that this version does not have yet.',
  CLI_NO_COMPOSE_FILE: 'No compose file was named, and none was found.',
  CLI_INVALID_PROJECT: 'The compose file has errors; all of them were printed.',
  CLI_NO_SUCH_SERVICE: 'The project has no service of that name.',
  CLI_NO_SERVICE_SELECTED: 'The file has no service, or none that an active profile enables.',
  CLI_NO_SUCH_OBJECT: 'Nothing of that name is known.',
  CLI_NO_CONTAINER: 'The service has no container that the command could act on.',
  CLI_DAEMON_NOT_STARTED: 'The daemon could not be started.',
  CLI_FILE_UNREADABLE: 'A file that the command needs could not be read.',
  CLI_VARIABLE_UNHEEDED: 'An environment variable of Docker Compose that changes nothing here.',
  CLI_FILE_UNWRITABLE: 'A file that was named for the output could not be written.',
  CLI_INTERRUPTED: 'The command was interrupted. What the daemon had begun goes on.',
} as const;
