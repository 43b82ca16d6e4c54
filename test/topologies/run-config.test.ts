import { describe, expect, it } from 'vitest'
import { parseRunConfig, runConfigJson } from '../../topologies/run-config.ts'

const given = {
  name: 'pretraining',
  selection: { seed: 1, actors: { quality: { subcategories: ['low', 'high'] } }, budget: { documents: 10 } },
  updateSteps: 10,
  steps: 100,
  labelers: { quality: 'v1' },
  reference: { reward: 'reward.jsonl', evaluation: 'evaluation.jsonl', corpus: 'corpus.jsonl' },
  model: 'graphs',
  checkpoints: 'checkpoints',
}
const withInfluence = (influence: object) => parseRunConfig({ ...given, influence })

describe('the influence part of a run', () => {
  it('omits options that did not exist when older runs were recorded, so that their records stay the same', () => {
    const recorded = parseRunConfig(given)
    expect(recorded.influence).toEqual({ normalize: 'cosine', projectionSeed: 'winnow', windowsMax: 1 })
    expect(Object.keys(recorded.reference)).toEqual(['reward', 'evaluation', 'corpus', 'samplesMax'])
    expect(runConfigJson(parseRunConfig(JSON.parse(runConfigJson(recorded))))).toBe(runConfigJson(recorded))
  })

  it('keeps everything that was chosen when it is written and read', () => {
    const influence = {
      normalize: 'none',
      hessian: 'fisher',
      damping: 0.2,
      context: 1024,
      overlap: 256,
      windowsMax: 8,
      combine: 'max',
    } as const
    const run = parseRunConfig({ ...given, influence, reference: { ...given.reference, moreRewards: ['other.jsonl'] } })
    expect(run.influence).toEqual({ projectionSeed: 'winnow', ...influence })
    expect(parseRunConfig(JSON.parse(runConfigJson(run)))).toEqual(run)
  })

  it.each([
    [{ overlap: 128 }, 'less than the context'],
    [{ context: 64, overlap: 64 }, 'less than the context'],
    [{ estimator: 'probe', hessian: 'fisher' }, 'a probe takes no Hessian'],
    [{ hessian: 'fisher', preconditioner: 'adam' }, 'choose one of the two'],
    [{ damping: 0 }, 'damping'],
    [{ combine: 'median' }, 'combine'],
  ])('is refused if it makes no sense: %j', (influence, reason) => {
    expect(() => withInfluence(influence)).toThrow(reason)
  })
})
