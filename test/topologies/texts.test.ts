import { expect, test } from 'vitest'
import { asDocumentId, Document, Label, RewardRequest } from '../../schemas/index.ts'
import type { Delivered, Output } from '../../topologies/node.ts'
import { type ReadTexts, readingTexts } from '../../topologies/texts.ts'

/** Texts in capitals are encrypted; X is erased, ? is damaged. */
const read: ReadTexts = async (texts) =>
  texts.map(({ text }) => (text === 'X' ? null : text === '?' ? new Error('damaged') : text.toLowerCase()))

let offset = 0
const delivered = (record: string, text: string): Delivered => ({
  ...{ topic: 't', partition: 0, offset: offset++, record },
  value: { docId: asDocumentId(1n), text, tokens: 1 },
})

/** Gives a station these records. @returns what it was given, what went to dead letters, how many were erased */
async function giving(batch: readonly Delivered[], rejects: (text: string) => boolean = () => false) {
  const rejected: { delivered: Delivered; reason: string }[] = []
  const output = {
    deadLetter: (one: Delivered, reason: string) => rejected.push({ delivered: one, reason }),
  } as unknown as Output
  let given: readonly Delivered[] = []
  let erased = 0
  const station = readingTexts(
    (out) => ({
      process: async (batch) => {
        given = batch
        for (const one of batch)
          if (rejects((one.value as { text: string }).text)) out.deadLetter(one, 'mine', 'no good')
      },
    }),
    { read, onErased: (count) => (erased += count) },
  )(output)
  await station.process(batch)
  return { given, rejected, erased }
}

test('a station gets texts readable, and everything else of its records as it is', async () => {
  const batch = [delivered(Document.name, 'ONE'), delivered(Label.name, 'LABEL'), delivered(Document.name, 'two')]
  const { given } = await giving(batch)
  expect(given.map(({ value }) => (value as { text: string }).text)).toEqual(['one', 'LABEL', 'two'])
  expect(given[0]).toEqual({ ...batch[0], value: { ...(batch[0]!.value as object), text: 'one' } })
})

test('where nothing is encrypted it gets the records themselves', async () => {
  const batch = [delivered(Document.name, 'one')]
  const { given } = await giving(batch)
  expect(given).toBe(batch)
})

test('an erased document is passed over and counted, and is an empty text where an answer is waited for', async () => {
  const batch = [delivered(Document.name, 'X'), delivered(Document.name, 'ONE'), delivered(RewardRequest.name, 'X')]
  const { given, rejected, erased } = await giving(batch)
  expect(given.map(({ value }) => (value as { text: string }).text)).toEqual(['one', ''])
  expect([rejected, erased]).toEqual([[], 2])
})

test('what a station rejects, and what does not authenticate, goes to dead letters as it was read: encrypted', async () => {
  const batch = [delivered(Document.name, 'BAD'), delivered(Document.name, '?'), delivered(Document.name, 'GOOD')]
  const { given, rejected } = await giving(batch, (text) => text === 'bad')
  expect(given).toHaveLength(2)
  expect(rejected).toEqual([
    { delivered: batch[1], reason: 'unreadable-text' },
    { delivered: batch[0], reason: 'mine' },
  ])
  expect(rejected[1]!.delivered).toBe(batch[0])
})
