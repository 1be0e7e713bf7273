import { election } from './scenarios/election.ts';
import { logs } from './scenarios/logs.ts';
import { members } from './scenarios/members.ts';
import { reads } from './scenarios/reads.ts';
import type { Scenario } from './scenarios/scenario.ts';

/** The stories that show the known mistakes, by what goes wrong: elections, the log, reads, changes of members. */
export const scenarios: readonly Scenario[] = [...election, ...logs, ...reads, ...members];
