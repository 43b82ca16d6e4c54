import { expect, test } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { describe } from '../../topologies/describe.ts'
import { testRun } from '../support/run.ts'

test('the picture of a run has the comparison with evaluation sets only where there are sets, between documents and the label sink', () => {
  const without = describe(testRun('r'))
  const { stations, edges } = describe(testRun('r'), { evalSets: true })
  expect(stations.map(({ name }) => name)).toEqual([...without.stations.map(({ name }) => name), 'decontamination'])
  const ofIt = edges.filter(({ from, to }) => [from, to].includes('decontamination'))
  expect(ofIt).toEqual([
    { topic: topics.documents.name, from: 'ingest', to: 'decontamination' },
    { topic: topics.exclusions.name, from: 'decontamination', to: 'label sink' },
  ])
  expect(edges.filter((edge) => !ofIt.includes(edge))).toEqual(without.edges)
})
