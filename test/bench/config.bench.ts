import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bench, line, median, timed } from './harness.ts';
import { home } from './ours.ts';
import { dockerClient } from './peers/docker.ts';

/** A service as people write them: a bit of everything, so that every phase of the loader has work. */
function serviceText(index: number): string {
  return `  service${index}:
    image: registry.example.com/team/service${index}:1.\${MINOR:-${index}}
    restart: unless-stopped
    ports:
      - "${8000 + index}:80"
    environment:
      LOG_LEVEL: info
      DATABASE_URL: postgres://user:\${PASSWORD:-secret}@service0:5432/db${index}
    volumes:
      - data${index % 3}:/var/lib/service
      - ./conf/${index}.conf:/etc/service.conf:ro
    networks: [front, back]
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost/health"]
      interval: 10s
    deploy:
      resources:
        limits: {cpus: "0.5", memory: 128M}
    labels:
      com.example.index: "${index}"
${index === 0 ? '' : `    depends_on:\n      service${index - 1}: {condition: service_healthy}\n`}`;
}

/** A service as generated files have them by the thousand. */
function shortServiceText(index: number): string {
  return `  service${index}:
    image: team/service:1.\${MINOR:-${index}}
    command: ["serve", "--port", "80"]
    environment:
      LOG_LEVEL: info
      PEER: service${(index + 1) % 1000}
    ports:
      - "${10_000 + index}:80"
    networks: [front]
`;
}

function fileText(services: number, textOf: (index: number) => string): string {
  const parts = Array.from({ length: services }, (_, index) => textOf(index));
  return `services:\n${parts.join('')}networks:\n  front: {}\n  back: {internal: true}\nvolumes:\n  data0: {}\n  data1: {}\n  data2: {}\n`;
}

const command: Bench = {
  name: 'config',
  needsRoot: true,
  run: async (context) => {
    const peer = await dockerClient();
    const folder = join(peer.share, 'config');
    mkdirSync(folder, { recursive: true });
    try {
      writeFileSync(join(folder, 'compose.yaml'), fileText(10, serviceText));
      const ours: { wallMs: number; cpuMs: number }[] = [];
      const theirs: { wallMs: number; cpuMs: number }[] = [];
      // The first of each only warms the machine's caches.
      for (let run = -1; run < context.runs * 4; run += 1) {
        const one = await timed([join(home, 'bin', 'flotilla'), 'compose', 'config'], { cwd: folder });
        const other = await timed([...peer.enter('config'), 'docker', 'compose', 'config']);
        if (run < 0) continue;
        ours.push(one);
        theirs.push(other);
      }
      const of = (list: readonly { wallMs: number; cpuMs: number }[], key: 'wallMs' | 'cpuMs'): number => median(list.map((one) => one[key]));
      return [
        line({ name: 'config', unit: 'ms', ours: of(ours, 'wallMs'), peer: of(theirs, 'wallMs'), peerName: 'docker compose config', bar: '<= 1.0' }),
        line({ name: 'config/wall', unit: 'ms', ours: of(ours, 'wallMs'), bar: '<= 90' }),
        line({ name: 'config/cpu', unit: 's', ours: ours.reduce((sum, one) => sum + one.cpuMs, 0) / ours.length / 1000, peer: theirs.reduce((sum, one) => sum + one.cpuMs, 0) / theirs.length / 1000, peerName: 'docker compose config' }),
      ];
    } finally {
      await peer.close();
    }
  },
};

/** A thousand services, loaded and printed once in a fresh process: what is measured begins when the code is there. */
const thousand: Bench = {
  name: 'load1000',
  needsRoot: false,
  run: async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'flotilla-bench-'));
    try {
      writeFileSync(join(folder, 'compose.yaml'), fileText(1000, shortServiceText));
      const times: number[] = [];
      for (let run = 0; run < context.runs; run += 1) times.push(await loadOnce(folder));
      return [line({ name: 'load1000', unit: 'ms', ours: median(times), bar: '<= 500' })];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function loadOnce(folder: string): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'load-once.ts'), folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => void (text += chunk.toString()));
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`loading ended with ${String(code)}`);
  return Number(text);
}

export const benches: readonly Bench[] = [command, thousand];
