/**
 * Gives out turns of the event loop, one after the other. What one does without waiting is done before the next begins, and what comes in
 * is heard in between: the first of ten containers is on its way while the second is prepared, where in step all would begin last.
 */
export function createTurns(defer: (callback: () => void) => void): () => Promise<void> {
  const waiting: (() => void)[] = [];
  const next = (): void => {
    waiting.shift()?.();
    if (waiting.length > 0) defer(next);
  };
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (waiting.length === 1) defer(next);
    });
}
