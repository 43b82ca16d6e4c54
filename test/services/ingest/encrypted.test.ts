import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isSealed } from '../../../services/texts/envelope.ts'
import { MasterKeys } from '../../../services/texts/master-keys.ts'
import { Texts } from '../../../services/texts/texts.ts'
import { MemoryKeys } from '../../support/memory-keys.ts'
import { Killed, MemoryKafka } from './memory-kafka.ts'
import { folder, killsOf, row, rows, run } from './support.ts'

const long = row(`a long text ${'of many words '.repeat(100)}`, { meta: { author: 'Somebody' } })

function encrypting() {
  const kept = new MemoryKeys()
  return { kept, texts: new Texts(kept, MasterKeys.create(join(folder(), 'keys.json'), 0)) }
}

test('an encrypted ingest differs from another in texts alone: ids, tokens and metadata are the same', async () => {
  const path = folder({ 'a.jsonl': rows(5) + long })
  const [plain, encrypted] = [new MemoryKafka(), new MemoryKafka()]
  const { texts } = encrypting()
  await run(plain, [path])
  await run(encrypted, [path], { texts })
  expect(encrypted.documents.every(({ text }) => isSealed(text))).toBe(true)
  const read = await texts.read(encrypted.documents)
  expect(encrypted.documents.map((document, i) => ({ ...document, text: read[i] }))).toEqual(plain.documents)
  expect(encrypted.sources).toEqual(plain.sources)
})

test.for(killsOf(3))(
  'killed at a transaction (%o), the ingest after it leaves no text without its key',
  async (kill) => {
    const path = folder({ 'a.jsonl': rows(6) })
    const { texts, kept } = encrypting()
    const kafka = new MemoryKafka()
    const options = { texts, limits: { rowsMax: 2 } }
    kafka.kill = kill
    await expect(run(kafka, [path], options)).rejects.toThrow(Killed)
    kafka.kill = null
    await run(kafka, [path], options)
    expect(await texts.read(kafka.documents)).toEqual(Array.from({ length: 6 }, (_, n) => `row ${n}`))
    // Those of the transaction that never was are not used by anything.
    expect(kept.kept).toHaveLength(kill.committed ? 6 : 8)
  },
)

test('where keys cannot be kept no text is written', async () => {
  const { texts, kept } = encrypting()
  kept.add = async () => {
    throw new Error('the disk is full')
  }
  const kafka = new MemoryKafka()
  await expect(run(kafka, [folder({ 'a.jsonl': rows(3) })], { texts })).rejects.toThrow('the disk is full')
  expect(kafka.documents).toEqual([])
})

test('a long text that is split has a key for each piece', async () => {
  const { texts, kept } = encrypting()
  const kafka = new MemoryKafka()
  await run(kafka, [folder({ 'a.jsonl': long })], { texts, pieceBytes: 500 })
  expect(kafka.documents.length).toBeGreaterThan(2)
  expect(new Set(kept.kept.map(({ docId }) => docId))).toEqual(new Set(kafka.documents.map(({ docId }) => docId)))
  expect((await texts.read(kafka.documents)).join('')).toContain('of many words of many words')
})

test('a row whose text an ingest has encrypted is rejected where nothing is: no key of it is there', async () => {
  const { texts } = encrypting()
  const [first, second] = [new MemoryKafka(), new MemoryKafka()]
  await run(first, [folder({ 'a.jsonl': row('x') })], { texts })
  const again = folder({ 'b.jsonl': row(first.documents[0]!.text) + row('fine') })
  await run(second, [again])
  expect(second.documents.map(({ text }) => text)).toEqual(['fine'])
  expect(second.deadLetters).toMatchObject([{ reason: 'sealed-text' }])
  // Encrypted once more it is a text as any other.
  const third = new MemoryKafka()
  await run(third, [again], { texts })
  expect(await texts.read(third.documents)).toEqual([first.documents[0]!.text, 'fine'])
})
