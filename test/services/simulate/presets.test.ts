import { describe, expect, test } from 'vitest'
import { defaultActors } from '../../../topologies/selection/default-actors.ts'
import { type Preset, presets } from '../../../topologies/selection/presets.ts'
import { resolveStrategy } from '../../../topologies/selection/strategy-config.ts'
import { generator } from '../../topologies/selection/arbitraries.ts'
import { type NaiveConfig, type NaiveDocument, naiveRun } from '../../topologies/selection/naive.ts'
import type { NaiveStrategy } from '../../topologies/selection/naive-strategy.ts'
import { jsonLines, SimulationFolder } from './folder.ts'

const actorsOf = ({ needs }: Preset) =>
  Object.fromEntries(
    [...new Set(['quality', ...Object.keys(needs)])].map((name) => [
      name,
      { subcategories: [...(defaultActors[name] ?? ['low', 'high'])] },
    ]),
  )

/** Documents with ids over all 64 bits, of 0 to 400 tokens, with a label and a score of each actor. */
function corpusOf(actors: NaiveConfig['actors'], seed: number): NaiveDocument[] {
  const { below } = generator(seed)
  return Array.from({ length: 200 }, (_, i) => ({
    docId: ((BigInt(below(2 ** 31)) << 33n) + BigInt(i)).toString(),
    tokens: below(400),
    labels: Object.fromEntries(Object.entries(actors).map(([name, one]) => [name, below(one.subcategories.length)])),
    scores: Object.fromEntries(Object.keys(actors).map((name) => [name, below(5001) / 1000])),
  }))
}

describe.each(presets)('$name in simulate', (preset) => {
  const actors = actorsOf(preset)
  const documents = corpusOf(actors, preset.name.length)
  const whole = documents.reduce((sum, { tokens }) => sum + tokens, 0)

  const budgets = [
    ['a tenth of the tokens', { tokens: Math.ceil(whole / 10) }],
    ['twice as many', { tokens: Math.ceil(whole / 5) }],
    ['a number of documents', { documents: 60 }],
  ] as const
  test.each(budgets)('selects %s, as SELECTION.md read literally does', async (_, budget) => {
    using folder = new SimulationFolder()
    const config = { seed: 7, actors, budget, strategy: preset.name }
    await folder.run({ labels: jsonLines(documents), rewards: '', config })
    // The oracle knows no names.
    const strategy = resolveStrategy(preset.name) as NaiveStrategy
    const [expected] = naiveRun({ ...config, strategy }, documents, [], [0], {}) as { tokens: number; ids: string[] }[]
    expect(folder.ids(0)).toEqual(expected!.ids)
    const amount = 'tokens' in budget ? expected!.tokens : expected!.ids.length
    expect(amount).toBeGreaterThanOrEqual('tokens' in budget ? budget.tokens : 60)
  })
})
