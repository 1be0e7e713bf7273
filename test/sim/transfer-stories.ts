import { SimFailure } from './oracles.ts';
import type { RunOptions } from './run-seed.ts';
import { told } from './told.ts';
import type { Scenario } from './told.ts';
import { SimWorld } from './world.ts';

/** A new member needs the whole state, which takes many chunks. */
export const transferStories: readonly Scenario[] = [
  told('a member behind the log gets a state larger than one message', (options) => {
    const world = alone(options);
    join(world);
    world.run(20_000);
    return world.value('m2', 'k59') === null ? 'the new member has nothing after 20 s' : null;
  }),
  told('chunks of a snapshot that were lost together are asked for together', (options) => {
    const world = alone(options);
    // As where the connection for them is only being made: all of the first window.
    world.network.onChunk = (from, to) => {
      world.network.cut.add(`${from}>${to}`);
      world.network.onChunk = null;
    };
    join(world);
    world.run(500);
    if (world.network.onChunk !== null) return 'no chunk was sent';
    world.heal();
    world.run(4000);
    return world.value('m2', 'k59') === null ? 'the new member has nothing after 4 s' : null;
  }),
  told('a snapshot over a slow link that paused is not sent over and over', (options) => {
    const world = alone(options);
    let sent = 0;
    world.network.chunkMs = 250;
    world.network.onChunk = () => {
      sent += 1;
      if (sent === 12) world.network.pauseLink(1300);
    };
    join(world);
    world.run(15_000);
    if (world.value('m2', 'k59') === null) return `the new member has nothing after 15 s and ${sent} chunks`;
    return sent > 50 ? `${sent} chunks were sent` : null;
  }),
];

/** One member, whose log begins behind what it holds. */
function alone(options: RunOptions): SimWorld {
  const world = new SimWorld(['m1'], options, { snapshotEntries: 20 });
  world.leader();
  for (let at = 0; at < 60; at += 1) if (world.write('m1', `k${at}`, 'x'.repeat(2000)) === null) throw new SimFailure('a write failed');
  return world;
}

function join(world: SimWorld): void {
  world.start('m2');
  world.call('m1', { kind: 'join', memberId: 'm2', address: 'm2', featureLevel: 1 });
}
