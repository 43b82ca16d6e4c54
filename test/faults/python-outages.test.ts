import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { demoGraphs } from '../../deploy/demo/model.ts'
import { topics } from '../../schemas/index.ts'
import { definitionOf, openRuntime, type Runtime } from '../../services/connections/connections.ts'
import { loadTokenizer, type TextTokenizer } from '../../services/model/tokenizer.ts'
import { readProgress } from '../../services/runs/recorded.ts'
import { createLog } from '../../services/runtime/log.ts'
import { SelectionReader } from '../../services/selections/selection-reader.ts'
import { packBatches } from '../../services/trainer/packer.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { until } from '../support/kafka.ts'
import { fillByParity, parityRun, recordRun } from '../support/memory-runtime.ts'
import { pythonWith } from '../support/python.ts'
import { brokersCanBeStarted, startBrokers } from './brokers.ts'
import { FaultProxy } from './proxy.ts'
import { openDatabase } from './world.ts'

const { python, missing } = pythonWith('services/trainer/python', ['confluent_kafka', 'fastavro', 'tokenizers'])
const cannot = missing ?? (brokersCanBeStarted ? undefined : 'no Java to start brokers with')
const title = `a Python trainer${cannot === undefined ? '' : ` (skipped: ${cannot})`}`

async function proxied(address: string): Promise<{ proxy: FaultProxy; url: string }> {
  const url = new URL(address)
  const port = Number(url.port)
  const proxy = await FaultProxy.open(() => port)
  onTestFinished(() => proxy.close())
  url.port = `${proxy.port}`
  return { proxy, url: url.href }
}

/** The rows of every step in mode `wait`. */
async function expectedRows(runtime: Runtime, run: RunConfig, tokenizer: TextTokenizer): Promise<number[][][]> {
  const { batch, context } = run.trainer
  await using reader = await SelectionReader.open({ ...runtime, run: run.name, reader: 'test' })
  const steps: number[][][] = []
  for (let round = 0; steps.length < run.steps; round++) {
    async function* tokens() {
      for await (const id of reader.documents({ run: run.name, round, index: 0 }))
        yield await tokenizer.encode((await runtime.store.texts([id])).get(id)!)
    }
    for await (const { ids } of packBatches(tokens(), { batch, context, end: tokenizer.endOfText })) {
      const row = (n: number) => [...ids.subarray(n * (context + 1), (n + 1) * (context + 1))]
      steps.push(Array.from({ length: batch }, (_, n) => row(n)))
      if (steps.length === (round + 1) * run.updateSteps) break
    }
  }
  return steps
}

describe.skipIf(cannot !== undefined)(title, { timeout: 120_000 }, () => {
  test('outlives outages of registry, ClickHouse and broker, and reads what it would have read', async () => {
    const brokers = await startBrokers(1)
    onTestFinished(() => brokers.close())
    const addresses = await openDatabase()
    const runtime = await openRuntime({ ...addresses, brokers: brokers.addresses }, createLog('test', 'fatal'))
    onTestFinished(() => runtime.close())
    const folder = mkdtempSync(join(tmpdir(), 'winnow-outages-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    await runtime.kafka.createTopics(
      Object.values(topics).map((spec) => definitionOf(spec, { partitions: 1, recordBytesMax: 1024 * 1024 })),
    )
    await fillByParity(runtime.store, 40, (n) => `document ${n} of a ${n % 2 === 0 ? 'ship' : 'kitchen'} `.repeat(4))
    const trainer = { batch: 2, context: 24, reportSteps: 1 }
    const more = { updateSteps: 9, steps: 18, sampleDocuments: 0, checkpoints: folder, trainer }
    const run = parityRun('outages', {}, more)
    await recordRun(runtime, run, () => 0)

    const [registry, clickHouse] = await Promise.all([proxied(addresses.registryUrl), proxied(addresses.clickhouseUrl)])
    registry.proxy.cut()
    const given = { run: run.name, folder, tokenizer: join(demoGraphs, 'tokenizer.json') }
    const child = spawn(python!, [join(import.meta.dirname, 'outages_child.py'), JSON.stringify(given)], {
      env: {
        ...process.env,
        PYTHONDONTWRITEBYTECODE: '1',
        WINNOW_BROKERS: brokers.addresses.join(','),
        WINNOW_REGISTRY_URL: registry.url,
        WINNOW_CLICKHOUSE_URL: clickHouse.url,
        WINNOW_CLICKHOUSE_DATABASE: addresses.database!,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      stderr += part
    })
    const batches: number[][][] = []
    createInterface(child.stdout).on('line', (line) => {
      const said = JSON.parse(line) as { step: number; rows: number[][] }
      batches[said.step - 1] = said.rows
    })
    const trained = (steps: number) => until(async () => batches.length >= steps || child.exitCode !== null)
    /** What was read ahead is used up, or a report waits. */
    const stalled = async () => {
      for (let before = -1; batches.length > before; await sleep(1500)) before = batches.length
    }

    await until(async () => stderr.includes('the registry does not answer') || child.exitCode !== null)
    await sleep(500)
    expect(batches).toEqual([])
    registry.proxy.heal()
    await trained(2)
    // It knows by now all schemas that it needs.
    registry.proxy.cut()
    for (const [proxy, step] of [
      [clickHouse.proxy, 10],
      [brokers.brokers[0]!.proxy, 17],
    ] as const) {
      proxy.cut()
      await stalled()
      expect(batches.length, stderr).toBeLessThan(run.steps)
      proxy.heal()
      await trained(step)
    }
    expect(await ended, stderr).toBe(0)
    const tokenizer = loadTokenizer(given.tokenizer, 1 << 20, endOfText())
    expect(batches).toEqual(await expectedRows(runtime, run, tokenizer))
    expect((await readProgress(runtime, run.name)).at(-1)).toMatchObject({
      step: 18,
      round: 1,
      checkpoint: { step: 18 },
    })
  })
})

function endOfText(): number {
  const { endOfText = 0 } = JSON.parse(readFileSync(join(demoGraphs, 'model.json'), 'utf8')) as { endOfText?: number }
  return endOfText
}
