import fc from 'fast-check';

/** The laws are tried on the same values each time, so that a failure is one of the change at hand: SEED=n tries others. */
fc.configureGlobal({ seed: Number(process.env['SEED'] ?? 1) });

export { fc };
