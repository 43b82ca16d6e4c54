import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import { MasterKeys } from '../../../services/texts/master-keys.ts'
import { Texts } from '../../../services/texts/texts.ts'
import { MemoryKeys } from '../../support/memory-keys.ts'
import { folder } from '../ingest/support.ts'

const golden = JSON.parse(readFileSync(new URL('../trainer/python/sealed.json', import.meta.url), 'utf8'))

test('texts that were encrypted once are read ever after, by the keys of two epochs', async () => {
  const path = join(folder(), 'keys.json')
  writeFileSync(path, JSON.stringify(golden.masterKeys))
  const keys = new MemoryKeys()
  for (const key of golden.keys) await keys.add([{ ...key, docId: asDocumentId(BigInt(key.docId)) }])
  const texts = golden.texts as { docId: string; text: string; sealed: string }[]
  const sealed = texts.map(({ docId, sealed }) => ({ docId: asDocumentId(BigInt(docId)), text: sealed }))
  expect(await new Texts(keys, MasterKeys.load(path)).read(sealed)).toEqual(texts.map(({ text }) => text))
})
