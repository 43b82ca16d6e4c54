import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Manifest } from '../../schemas/index.ts'
import { openRuntime } from '../../services/connections/connections.ts'
import { Exposures } from '../../services/corpus/exposures.ts'
import { readManifests } from '../../services/runs/recorded.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { createLog } from '../../services/runtime/log.ts'
import { openDatabase } from '../faults/world.ts'
import { fillByParity, parityRun, progressOf } from '../support/memory-runtime.ts'
import type { SecureBroker } from '../support/secure-broker.ts'

const root = join(import.meta.dirname, '../..')

/** A run whose rounds ask for no rewards, on this broker; `serve` is `winnow run stations` of it, with a login of its own. */
export async function runToServe(broker: SecureBroker, folder: string) {
  const addresses = await openDatabase()
  const runtime = await openRuntime({ ...addresses, brokers: [broker.open] }, createLog('test', 'fatal'))
  onTestFinished(() => runtime.close())
  await fillByParity(runtime.store, 40)
  const more = { sampleDocuments: 0, exposures: true, model: 'shipped:llama-64x2', checkpoints: folder }
  const run = parityRun('served', {}, more)
  await submitRun(runtime, run)
  writeFileSync(join(folder, 'winnow.yaml'), 'corpus: { partitions: 2 }\n')
  const serve = (login: NodeJS.ProcessEnv) => {
    const { PATH, HOME } = process.env
    const env = {
      ...{ PATH, HOME },
      WINNOW_BROKERS: broker.sasl,
      WINNOW_REGISTRY_URL: addresses.registryUrl,
      WINNOW_CLICKHOUSE_URL: addresses.clickhouseUrl,
      WINNOW_CLICKHOUSE_DATABASE: addresses.database!,
      ...login,
    }
    const args = [join(root, 'deploy/bin.mjs'), 'run', 'stations', '--run', run.name]
    const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data))
    const ended = once(child, 'exit')
    return {
      output: () => output,
      isUp: () => child.exitCode === null,
      stop: async (): Promise<number | null> => {
        child.kill('SIGTERM')
        await ended
        return child.exitCode
      },
    }
  }
  const producer = await runtime.kafka.producer()
  return {
    run: run.name,
    serve,
    /** As a trainer does at a round's step. */
    report: (round: number) => producer.send([progressOf(runtime, run, round * run.updateSteps, round - 1, null)]),
    manifests: (): Promise<Manifest[]> => readManifests(runtime, run.name),
    /** How many documents of each round are kept among what was read. */
    exposures: () => new Exposures(runtime.clickHouse.sql, run.name).counts(),
  }
}
