import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { WinnowError } from '../../../services/runtime/errors.ts'
import { generator, scenario, shuffled } from '../../topologies/selection/arbitraries.ts'
import { type NaiveRound, naiveRun } from '../../topologies/selection/naive.ts'
import { jsonLines, SimulationFolder } from './folder.ts'

/** The rounds of a result folder in the naive reference's form. */
function roundsOf(folder: SimulationFolder): NaiveRound[] {
  return folder.records('rounds.jsonl').map((line) => ({ ...line, ids: folder.ids(line.round) }))
}

describe('simulate equals SELECTION.md read literally, file by file', () => {
  test('over 150 random runs with every option, duplicates, shuffled lines, empty rounds, positions and compressed files', async () => {
    for (let seed = 1000; seed < 1150; seed++) {
      using folder = new SimulationFolder()
      // Every third with a strategy, and so with scores.
      const given = scenario(seed, { strategies: seed % 3 === 0 })
      const { below } = generator(seed)
      const expected = naiveRun(given.config, given.documents, given.rewards, given.rounds, given.positions)
      // A line that is rejected makes its round exist all the same.
      const opening = given.rounds.map((round) => ({ round, actor: 'nobody', docId: '1', reward: 0 }))
      const repeated = given.rewards.slice(0, 5).map((reward) => ({ ...reward, reward: 99 }))
      const labels = jsonLines(shuffled(given.documents, below)) + jsonLines(given.documents.slice(0, 3))
      const rewards = jsonLines([...given.rewards, ...repeated, ...opening])
      const positions = jsonLines(
        Object.entries(given.positions).map(([round, read]) => ({ round: Number(round), read })),
      )
      const inputs = { labels, rewards, config: given.config, positions }
      const run =
        seed % 2 === 0
          ? folder.run(inputs)
          : folder.run(compressed(inputs), { labels: 'L.jsonl.gz', rewards: 'R.jsonl.gz' })
      if (expected === 'normalization') {
        const error = await run.catch((thrown: unknown) => thrown)
        expect(error, `scenario ${seed}`).toBeInstanceOf(WinnowError)
        expect((error as WinnowError).code).toBe('NORMALIZATION')
        continue
      }
      const summary = await run
      // JSON has no -0.
      expect(roundsOf(folder), `scenario ${seed}`).toEqual(JSON.parse(JSON.stringify(expected)))
      expect(summary.documents).toBe(given.documents.length)
      expect(summary.rejected['unknown-actor'] ?? 0).toBe(given.rounds.length)
    }
  })
})

function compressed<T extends { labels: string; rewards: string }>(inputs: T) {
  return { ...inputs, labels: gzipSync(inputs.labels), rewards: gzipSync(inputs.rewards) }
}
