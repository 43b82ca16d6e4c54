import { expect, test } from 'vitest'
import { runTopics, topics } from '../../../schemas/index.ts'
import { shownTopics } from '../../../services/top/watch.ts'

test('top shows the topics of the corpus and of the runs that it shows, and of no replay, archived run or other program', () => {
  const own = [topics.documents.name, 'winnow.labels.topic', runTopics('a').progress.name]
  const others = [runTopics('a-replay-1').progress.name, runTopics('b').selections.name, 'payments']
  expect(shownTopics([...own, ...others], new Set(['a', 'other']))).toEqual(own)
})
