import { expect, test } from 'vitest'
import { isControl, selectsBy } from '../../topologies/selects-by.ts'
import { testRun } from '../support/run.ts'

const run = (selection: object, more: object = { sampleDocuments: 0 }) => testRun('a', { selection, ...more })
const silent = { actors: { quality: { subcategories: ['low', 'high'], initialTheta: 0 } } }

test('a run that selects by rewards, labels or a mixture is no control; one that draws from everything is', () => {
  const cases = [
    [run({}, {}), false, null],
    [run({}), false, null],
    [run(silent), true, 'control: drawn at random'],
    [run({ strategy: 'random' }), true, 'control: drawn at random'],
    [
      run({ strategy: { score: { kind: 'zero' }, pool: [{ tokensMin: 5 }] } }),
      false,
      'strategy: drawn at random from its pool',
    ],
    [
      run({ ...silent, strategy: { score: { kind: 'label', actor: 'quality' } } }),
      false,
      'strategy: scores of quality',
    ],
  ] as const
  for (const [config, control, by] of cases) expect([isControl(config), selectsBy(config)]).toEqual([control, by])
})
