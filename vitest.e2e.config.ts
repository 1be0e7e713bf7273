import { defineConfig } from 'vitest/config';
import type { ViteUserConfig } from 'vitest/config';

// The tests that need root, the kernel, a runtime or a registry. One process a file: a file may move into namespaces of its own.
const config: ViteUserConfig = defineConfig({
  test: {
    include: ['test/e2e/**/*.e2e.ts'],
    globalSetup: ['test/e2e/needs-root.ts'],
    pool: 'forks',
    isolate: true,
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
export default config;
