import { expect, test } from 'vitest'
import type { CorpusManifest, ReferenceName } from '../../../deploy/demo/corpus.ts'
import { demoRuns } from '../../../deploy/demo/runs.ts'
import { isControl } from '../../../topologies/selects-by.ts'

const files = (name: string) => ({ reward: `${name}-reward`, eval: `${name}-eval`, rewardTexts: 1, evalTexts: 1 })
const manifest = {
  corpus: { documents: 4000 },
  references: { fiction: files('fiction'), addresses: files('addresses') },
  generalEval: 'general',
} as unknown as CorpusManifest

const runsFor = (reference: ReferenceName) =>
  demoRuns({
    seed: 3,
    steps: 70,
    actors: [{ name: 'quality', subcategories: ['low', 'high'], labeler: { kind: 'metadata', path: 'q' } }],
    versions: { quality: 'v1' },
    manifest,
    folder: '/data',
    reference,
  })

test('with another reference the demo records another pair of runs, measured against it', () => {
  const { collaborative, control } = runsFor('addresses')
  expect([collaborative.name, control.name]).toEqual(['multi-actor-addresses-3', 'random-addresses-3'])
  for (const { reference } of [collaborative, control])
    expect(reference).toMatchObject({ reward: 'addresses-reward', evaluation: 'addresses-eval', corpus: 'general' })
  expect(runsFor('fiction').collaborative).toMatchObject({
    name: 'multi-actor-3',
    reference: { reward: 'fiction-reward' },
  })
})

test('the control differs from the run only in what makes it a control', () => {
  const { collaborative, control } = runsFor('fiction')
  expect([isControl(collaborative), isControl(control)]).toEqual([false, true])
  const same = ({ name: _, sampleDocuments: __, selection, ...rest }: typeof control) => ({
    ...rest,
    selection: { ...selection, actors: selection.actors.map((actor) => ({ ...actor, initialTheta: 0 })) },
  })
  expect(same(collaborative)).toEqual(same(control))
})
