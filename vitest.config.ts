import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { cachesFolder } from './deploy/dev/caches.ts'

/** A folder that takes a JSON report of each vitest that `npm test` runs (test/parts/run-parts.ts). */
const reports = process.env.WINNOW_TEST_REPORTS

/** Timeouts are multiplied by this, for instance under an emulator of another processor (CONTRIBUTING.md). */
const patience = Number(process.env.WINNOW_TEST_PATIENCE ?? 1)

// What tests start is compiled once (deploy/bin.mjs).
process.env.NODE_COMPILE_CACHE ??= join(cachesFolder(process.env), 'compiled')
// Of tests that load onnxruntime without winnow's own code around it (services/runtime/telemetry-off.ts).
process.env.ORT_DISABLE_TELEMETRY = '1'

export default defineConfig({
  test: {
    ...(reports !== undefined && {
      reporters: ['default', 'json'],
      outputFile: { json: join(reports, `${process.pid}.json`) },
    }),
    projects: [
      {
        test: {
          name: 'unit',
          // Vitest leaves a core free, and half of two is too much.
          maxWorkers: Math.max(2, availableParallelism() - 1),
          include: [
            'test/{schemas,topologies,services,deploy,simulation,docs,mutants,parts,soak,support}/**/*.test.ts',
          ],
          // On a machine that does four times as much a test takes four times as long, and is right.
          testTimeout: 60_000 * patience,
          hookTimeout: 10_000 * patience,
        },
      },
      {
        // One broker, registry and ClickHouse are started for all files; each file uses its own topics and database.
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/support/cluster.ts'],
          testTimeout: 240_000 * patience,
          hookTimeout: 180_000 * patience,
          fileParallelism: false,
        },
      },
      {
        // Of `npm run test:containers` alone: what they start themselves.
        test: {
          name: 'containers',
          include: ['test/containers/**/*.test.ts'],
          testTimeout: 600_000 * patience,
          hookTimeout: 180_000 * patience,
          fileParallelism: false,
        },
      },
      {
        // In a vitest of its own, after the others, with its own cluster: what it kills and stops is nobody else's, and chDB opens one
        // folder in a process.
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          globalSetup: ['test/support/cluster.ts'],
          testTimeout: 240_000 * patience,
          hookTimeout: 180_000 * patience,
          fileParallelism: false,
          maxConcurrency: 4,
        },
      },
    ],
  },
})
