import type { Output } from '../context.ts';

/** What the log stream of a project carries. */
export type LogStreamEvent =
  | { readonly kind: 'line'; readonly container: string; readonly stream: 'stdout' | 'stderr'; readonly time: string; readonly text: string; readonly isPartial: boolean }
  | { readonly kind: 'exited'; readonly container: string; readonly exitCode: number; readonly isRestarting: boolean };

export type LogPrinterOptions = { readonly isColoured: boolean; readonly hasPrefix: boolean; readonly hasTimestamps: boolean };

/** cyan, yellow, green, magenta, blue, then the same in bold. */
const rainbow = ['36', '33', '32', '35', '34', '36;1', '33;1', '32;1', '35;1', '34;1'];

/** Prints lines behind a coloured, aligned prefix; stdout goes to stdout, stderr to stderr. Colours follow the sorted names. */
export class LogPrinter {
  readonly #out: Output;
  readonly #err: Output;
  readonly #options: LogPrinterOptions;
  readonly #colours = new Map<string, string>();
  readonly #unfinished = new Set<string>();
  #width = 0;

  constructor(out: Output, err: Output, options: LogPrinterOptions) {
    this.#out = out;
    this.#err = err;
    this.#options = options;
  }

  /** Names known ahead keep width and colours stable. */
  expect(names: readonly string[]): void {
    for (const name of [...names].sort()) this.#know(name);
  }

  print(event: LogStreamEvent): void {
    this.#know(event.container);
    if (event.kind === 'exited') {
      this.#out.write(`${this.#paint(event.container, `${event.container} exited with code ${event.exitCode}${event.isRestarting ? ' (restarting)' : ''}`)}\n`);
      return;
    }
    const target = event.stream === 'stdout' ? this.#out : this.#err;
    const key = `${event.container}/${event.stream}`;
    const head = this.#unfinished.has(key) ? '' : `${this.#prefix(event.container)}${this.#options.hasTimestamps ? `${event.time.replace(/\+00:00$/, 'Z')} ` : ''}`;
    target.write(`${head}${event.text}${event.isPartial ? '' : '\n'}`);
    if (event.isPartial) this.#unfinished.add(key);
    else this.#unfinished.delete(key);
  }

  #prefix(name: string): string {
    if (!this.#options.hasPrefix) return '';
    return this.#paint(name, `${name.padEnd(this.#width + 1)} | `);
  }

  #know(name: string): void {
    this.#width = Math.max(this.#width, name.length);
    if (!this.#colours.has(name)) this.#colours.set(name, rainbow[this.#colours.size % rainbow.length] ?? '36');
  }

  #paint(name: string, text: string): string {
    return this.#options.isColoured ? `\u001b[${this.#colours.get(name) ?? '36'}m${text}\u001b[0m` : text;
  }
}
