import { AppError } from './app-error.ts';

/** Always on: a broken invariant stops the room's owner before it can do harm. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AppError({ code: 'BASE_INTERNAL', message: `invariant broken: ${message}` });
}

/** Ends a `switch` over a closed union: the compiler refuses a forgotten case, and so does the running program. */
export function unreachable(value: never): never {
  throw new AppError({ code: 'BASE_INTERNAL', message: `unexpected case: ${JSON.stringify(value)}` });
}
