import { expect } from 'vitest'
import { type Document, topics, type Work } from '../../schemas/index.ts'
import { Ledger } from '../../topologies/ledger/ledger.ts'
import { labelCost, type World } from './world.ts'

/** Every document is booked once for each labeler, whatever was lost, repeated, reread or done twice at a time. */
export function checkLedger(world: World): void {
  const documents = world.driver.log.records<Document>(topics.documents.name)
  const tokens = documents.reduce((sum, { value }) => sum + value.tokens, 0)
  const ledger = new Ledger()
  for (const { value } of world.driver.log.records<Work>(topics.work.name)) ledger.apply(value)
  const rows = ledger.rows().map(({ purpose, subject, documents, tokens, flops }) => ({
    ...{ purpose, subject, documents, tokens, flops },
  }))
  expect(rows).toEqual(
    world.labels.sort().map((subject) => ({
      ...{ purpose: 'labels', subject, documents: documents.length, tokens },
      flops: labelCost.factor * labelCost.parameters * tokens,
    })),
  )
}
