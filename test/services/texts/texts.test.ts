import { join } from 'node:path'
import { expect, test } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import { MasterKeys } from '../../../services/texts/master-keys.ts'
import { Texts } from '../../../services/texts/texts.ts'
import { MemoryKeys } from '../../support/memory-keys.ts'
import { folder } from '../ingest/support.ts'

const [a, b, c] = [1n, 2n, 3n].map(asDocumentId) as [never, never, never]
const documents = [
  { docId: a, text: 'the text of a' },
  { docId: b, text: 'the text of b' },
]

/** Both documents, sealed, with keys kept. */
async function sealedWorld() {
  const kept = new MemoryKeys()
  const masterKeys = MasterKeys.create(join(folder(), 'keys.json'), 0)
  const texts = new Texts(kept, masterKeys)
  const { texts: sealed, keys } = texts.sealing!.seal(documents)
  await texts.sealing!.keep(keys)
  return { kept, masterKeys, texts, sealed: documents.map(({ docId }, i) => ({ docId, text: sealed[i]! })) }
}

test('texts are read in their order, among them those that never were encrypted', async () => {
  const { texts, sealed } = await sealedWorld()
  expect(await texts.read([sealed[1]!, { docId: c, text: 'plain' }, sealed[0]!, sealed[1]!])).toEqual([
    ...['the text of b', 'plain', 'the text of a', 'the text of b'],
  ])
})

test('a text whose key is destroyed is erased, and the others are read as before', async () => {
  const { texts, kept, sealed } = await sealedWorld()
  kept.erase([a])
  expect(await texts.read(sealed)).toEqual([null, 'the text of b'])
})

test('a key that is gone though nobody has asked for it is a loss, and not an erasure', async () => {
  const { texts, kept, sealed } = await sealedWorld()
  kept.lose([a])
  await expect(texts.read(sealed)).rejects.toMatchObject({ code: 'GUARANTEE_VIOLATED' })
  await expect(texts.read(sealed)).rejects.toThrow('no key of document 1, and no erasure of it')
})

test('without master keys texts stay as they are, and an encrypted one is an error in place of prose', async () => {
  const { kept, sealed } = await sealedWorld()
  const texts = new Texts(kept)
  expect(texts.sealing).toBeUndefined()
  expect(await texts.read(documents)).toEqual(['the text of a', 'the text of b'])
  await expect(texts.read(sealed)).rejects.toMatchObject({
    ...{ code: 'CONFIGURATION', hint: expect.stringContaining('corpus.encryption') },
  })
})

test('a text in the place of another is a fault of that document, and the others are read', async () => {
  const { texts, sealed } = await sealedWorld()
  const moved = { docId: c, text: sealed[0]!.text }
  const [fault, text] = await texts.readEach([moved, sealed[1]!])
  expect(fault).toMatchObject({ code: 'BAD_DATA', message: expect.stringContaining('document 3') })
  expect(text).toBe('the text of b')
  await expect(texts.read([moved])).rejects.toThrow('document 3')
})

test('an ingest that was cut off leaves keys that nothing was encrypted by, and takes none from anybody', async () => {
  const { texts, sealed } = await sealedWorld()
  const again = texts.sealing!.seal(documents)
  await texts.sealing!.keep(again.keys)
  expect(await texts.read(sealed)).toEqual(['the text of a', 'the text of b'])
  expect(await texts.read([{ docId: a, text: again.texts[0]! }])).toEqual(['the text of a'])
})
