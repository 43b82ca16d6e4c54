import { tmpdir } from 'node:os'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { CliContext } from '../../../services/cli/context.ts'
import { buildProgram, runProgram } from '../../../services/cli/program.ts'
import type { Config } from '../../../services/config/config.ts'
import { loadConfig } from '../../../services/config/load.ts'
import { Metrics } from '../../../services/runtime/metrics/metrics.ts'
import { serveMetrics } from '../../../services/runtime/metrics/server.ts'
import { until } from '../../support/kafka.ts'
import { memoryRuntime } from '../../support/memory-runtime.ts'

/** `winnow run labeler` on Kafka in memory, and what a probe of it sees. */
async function labelerWith(labeler: object) {
  const defaults = loadConfig({ folder: tmpdir(), env: {} })
  const corpus = { ...defaults.corpus, partitions: 1 }
  const config = { ...defaults, corpus, actors: [{ name: 'kind', subcategories: ['sea', 'code'], labeler }] } as Config
  const metrics = new Metrics(() => 0)
  const server = await serveMetrics(metrics, { ...defaults.metrics, port: 0 })
  const runtime = { ...(await memoryRuntime()), metrics }
  let said = ''
  let code = 0
  const context = {
    env: {},
    folder: tmpdir(),
    stderr: { write: (text: string) => (said += text) },
    connect: async () => ({ config, runtime, [Symbol.asyncDispose]: () => server.close() }),
    exitCode: (given: number) => {
      code = given
    },
  } as unknown as CliContext
  const args = ['run', 'labeler', '--actor', 'kind']
  const ended = buildProgram(context, {}, args).then((program) => runProgram(program, args, context))
  const ready = async () => (await fetch(new URL('/readyz', server.url))).status
  return { metrics, ready, said: () => said, ended: async () => ((await ended) === 0 ? code : await ended) }
}

test('a labeler that cannot load its model is never ready, and exits with what is wrong', async () => {
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  onTestFinished(() => stderr.mockRestore())
  const { metrics, ended } = await labelerWith({
    kind: 'hashed',
    model: '/nowhere/model',
    golden: 'refuse',
    threads: 1,
  })
  expect(await ended()).toBe(3)
  expect(stderr.mock.calls.join('')).toContain('/nowhere/model')
  expect(metrics.readiness.reason).toBe('this process is starting')
})

test('a labeler is ready once it has its model and has joined, until it is told to end', async () => {
  const { metrics, ready, said, ended } = await labelerWith({ kind: 'metadata', path: 'kind' })
  await until(() => said().includes('running: labeler kind'))
  expect(await ready()).toBe(200)
  process.emit('SIGTERM')
  expect(metrics.readiness.reason).toBe('this process is ending')
  expect(await ended()).toBe(0)
})
