import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { demoGraphs } from '../../deploy/demo/model.ts'
import { openRuntime } from '../../services/connections/connections.ts'
import { readProgress } from '../../services/runs/recorded.ts'
import { createLog } from '../../services/runtime/log.ts'
import { openDatabase } from '../faults/world.ts'
import { fillByParity, parityRun, recordRun } from '../support/memory-runtime.ts'
import { pythonWith } from '../support/python.ts'
import type { SecureBroker } from '../support/secure-broker.ts'

export const { python, missing: pythonMissing } = pythonWith('services/trainer/python', [
  'confluent_kafka',
  'fastavro',
  'tokenizers',
])

/** A run of four steps on this broker, whose two rounds are selected; `train` is the trainer in Python, with a login of its own. */
export async function recordedFor(broker: SecureBroker, folder: string) {
  const addresses = await openDatabase()
  const runtime = await openRuntime({ ...addresses, brokers: [broker.open] }, createLog('test', 'fatal'))
  onTestFinished(() => runtime.close())
  await fillByParity(runtime.store, 40, (n) => `document ${n} of a ${n % 2 === 0 ? 'ship' : 'kitchen'} `.repeat(4))
  const trainer = { batch: 2, context: 24, reportSteps: 1 }
  const more = { updateSteps: 2, steps: 4, sampleDocuments: 0, checkpoints: folder, trainer }
  const run = parityRun('secured', {}, more)
  await recordRun(runtime, run, () => 0)
  const child = join(import.meta.dirname, '../faults/outages_child.py')
  const given = JSON.stringify({ run: run.name, folder, tokenizer: join(demoGraphs, 'tokenizer.json') })
  const train = (login: NodeJS.ProcessEnv) =>
    new Promise<{ code: number; steps: number; stderr: string }>((resolve) => {
      const env = {
        ...process.env,
        PYTHONDONTWRITEBYTECODE: '1',
        WINNOW_BROKERS: broker.sasl,
        WINNOW_REGISTRY_URL: addresses.registryUrl,
        WINNOW_CLICKHOUSE_URL: addresses.clickhouseUrl,
        WINNOW_CLICKHOUSE_DATABASE: addresses.database!,
        ...login,
      }
      execFile(python!, [child, given], { env, timeout: 60_000 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : Number(error.code ?? -1)
        resolve({ code, steps: stdout.split('\n').filter(Boolean).length, stderr })
      })
    })
  return { run: run.name, train, reports: () => readProgress(runtime, run.name) }
}
