import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { campaignTopic, ProxyResult } from '../../../schemas/index.ts'
import { campaignNamed } from '../../../services/campaigns/recorded.ts'
import { loadConfig } from '../../../services/config/load.ts'
import { labelerVersions } from '../../../services/runs/label-progress.ts'
import { MemoryStore } from '../../../topologies/memory-store.ts'
import { cliOn } from '../../support/cli.ts'
import { fillByParity, memoryRuntime } from '../../support/memory-runtime.ts'

/** A command line on a corpus in memory of even and odd documents, with a run's file for it. */
export async function campaignWorld(
  subcategories = ['even', 'odd'],
  selection: object = {},
  { textOf, divisor }: { textOf?: (n: number) => string; divisor?: number } = {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-campaigns-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = (name: string, content: string) => writeFileSync(join(folder, name), content)
  file(
    'winnow.yaml',
    `actors: { parity: { subcategories: [${subcategories}], labeler: { kind: metadata, path: parity } } }`,
  )
  const config = loadConfig({ folder, env: {}, file: join(folder, 'winnow.yaml') })
  const store = new MemoryStore()
  const runtime = await memoryRuntime(store)
  onTestFinished(() => runtime.close())
  await fillByParity(store, 60, textOf, divisor)
  const run = {
    name: 'mine',
    selection: { seed: 3, actors: { parity: { subcategories } }, budget: { documents: 20 }, ...selection },
    ...{ updateSteps: 2, steps: 6, labelers: { parity: 'v1' } },
    reference: { reward: 'r', evaluation: 'e', corpus: 'c' },
    ...{ model: 'shipped:llama-64x2', checkpoints: 'k', trainer: { batch: 2, context: 16 } },
  }
  file('run.yaml', JSON.stringify(run))
  const winnow = cliOn(runtime, config, folder)
  return {
    ...{ folder, runtime, config, winnow, run, file },
    read: (name: string) => readFileSync(join(folder, name), 'utf8'),
    versions: () => labelerVersions(config),
    /** Writes results as workers do: the loss is a function of the share of the first subcategory. */
    async finish(campaign: string, lossOf: (share: number, proxy: number) => number, proxies?: number): Promise<void> {
      const { plan } = await campaignNamed(runtime, campaign)
      const producer = await runtime.kafka.producer()
      for (const [proxy, mixture] of plan.mixtures.slice(0, proxies).entries()) {
        const shares = mixture.map((parts) => parts / 5000)
        const loss = lossOf(shares[0]!, proxy)
        const value = { campaign, proxy, shares, loss, corpusLoss: 1, seconds: 1, curve: [], learned: null }
        const { name: topic } = campaignTopic(campaign)
        await producer.send([{ topic, key: `${proxy}`, value: runtime.codec.encode(ProxyResult, value) }])
      }
      await producer.close()
    },
  }
}
