import { expect, test } from 'vitest'
import type { CorpusManifest, ReferenceName } from '../../../deploy/demo/corpus.ts'
import { demoRuns, isByPython } from '../../../deploy/demo/runs.ts'
import { isControl } from '../../../topologies/selects-by.ts'

const files = (name: string) => ({ reward: `${name}-reward`, eval: `${name}-eval`, rewardTexts: 1, evalTexts: 1 })
const manifest = {
  corpus: { documents: 4000 },
  references: { fiction: files('fiction'), addresses: files('addresses') },
  generalEval: 'general',
} as unknown as CorpusManifest

const given = (reference: ReferenceName): Parameters<typeof demoRuns>[0] => ({
  seed: 3,
  steps: 70,
  actors: [{ name: 'quality', subcategories: ['low', 'high'], labeler: { kind: 'metadata', path: 'q' } }],
  versions: { quality: 'v1' },
  manifest,
  folder: '/data',
  reference,
})
const runsFor = (reference: ReferenceName) => demoRuns(given(reference))

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

test('runs that PyTorch trains differ in their names alone, which say so', () => {
  const typescript = demoRuns(given('addresses'))
  const python = demoRuns({ ...given('addresses'), trainer: 'python' })
  expect([python.collaborative.name, python.control.name]).toEqual([
    'multi-actor-addresses-python-3',
    'random-addresses-python-3',
  ])
  for (const pair of ['collaborative', 'control'] as const) {
    expect({ ...python[pair], name: '' }).toEqual({ ...typescript[pair], name: '' })
    expect([isByPython(typescript[pair].name), isByPython(python[pair].name)]).toEqual([false, true])
  }
})
