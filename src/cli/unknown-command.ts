import { AppError } from '../base/app-error.ts';
import { nearestWord } from '../base/nearest.ts';

/** Commands that Docker has and this version does not, and what does the work meanwhile, where something does. */
const notYet: Readonly<Record<string, string | null>> = {
  attach: 'flotilla logs -f CONTAINER', build: 'build and push with another tool, and name the image', commit: null, container: null, context: null,
  cp: 'flotilla exec CONTAINER cat FILE', create: 'flotilla compose create', diff: null, events: null, export: null, history: null, image: 'flotilla images', import: null,
  kill: 'flotilla compose stop -t 0 SERVICE', load: null, login: 'logins of ~/.docker/config.json are used, whoever wrote them', logout: null, network: 'flotilla inspect NAME',
  node: 'this version runs on one node', pause: null, port: 'flotilla ps shows the ports', push: null, rename: null, restart: 'flotilla compose restart SERVICE',
  run: 'write a compose file with one service: flotilla compose up', save: null, search: null, secret: 'secrets of a compose file: `secrets:` with `file:`', service: 'flotilla compose',
  stack: 'this version runs on one node: flotilla compose up -d', start: 'flotilla compose start SERVICE', stats: null, stop: 'flotilla compose stop SERVICE', swarm: 'this version runs on one node',
  system: 'flotilla info', tag: null, top: 'flotilla exec CONTAINER ps', unpause: null, update: 'change the compose file: flotilla compose up -d', volume: 'flotilla inspect NAME', wait: null,
};

/** Words that people type for a command of `compose`. */
const ofCompose: readonly string[] = ['up', 'down', 'config', 'ls'];

/** What to say of a word that is no command: it is not there yet, it belongs behind `compose`, or it is misspelt. */
export function unknownCommand(name: string, known: readonly string[]): AppError {
  if (Object.hasOwn(notYet, name)) return new AppError({ code: 'CLI_NOT_YET', message: `\`flotilla ${name}\` is not in this version`, hint: notYet[name] ?? 'flotilla help lists what there is' });
  const near = ofCompose.includes(name) ? `compose ${name}` : nearestWord(name, known);
  return new AppError({ code: 'CLI_UNKNOWN_COMMAND', message: `flotilla has no command \`${name}\``, hint: near === undefined ? 'flotilla help lists what there is' : `did you mean \`flotilla ${near}\`?` });
}
