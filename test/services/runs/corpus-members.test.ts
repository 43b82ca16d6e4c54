import { expect, test } from 'vitest'
import { missingOfCorpus } from '../../../services/runs/corpus-members.ts'

const versions = new Map([
  ['quality', 'q1'],
  ['topic', 't2'],
])
const kafkaOf = (...groups: string[]) => ({
  consumerGroups: async () => groups.map((groupId) => ({ groupId, state: 'Stable', members: [] })),
})

test('missing services are named with the commands that start them', async () => {
  expect(await missingOfCorpus(kafkaOf(), versions)).toBe(
    'no labeler of quality, topic and no label sink is connected: winnow up starts all of them, or winnow run labeler --actor quality, winnow run labeler --actor topic, winnow run label-sink',
  )
  // A labeler of another version is another labeler.
  const others = kafkaOf('winnow.labeler-quality-q1', 'winnow.labeler-topic-t1', 'winnow.label-sink')
  expect(await missingOfCorpus(others, versions)).toMatch(/^no labeler of topic is connected: /)
})

test('nothing is reported if all services are connected, or if groups may not be seen', async () => {
  const all = kafkaOf('winnow.labeler-quality-q1', 'winnow.labeler-topic-t2', 'winnow.label-sink')
  expect(await missingOfCorpus(all, versions)).toBeUndefined()
  expect(await missingOfCorpus({ consumerGroups: () => Promise.reject(new Error('no')) }, versions)).toBeUndefined()
})
