import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { playTranscript } from './transcript-player.ts';

const dir = join(import.meta.dirname, 'transcripts');

describe('the transcripts, which are the manual of the room', () => {
  test.for(readdirSync(dir).filter((name) => name.endsWith('.txt')))('%s', (name) => {
    const path = join(dir, name);
    const text = readFileSync(path, 'utf8');
    const played = playTranscript(text);
    if (process.env['GOLDEN'] === 'write') writeFileSync(path, played);
    else expect(played).toBe(text);
    expect(played).not.toContain('broken promise');
  });
});
