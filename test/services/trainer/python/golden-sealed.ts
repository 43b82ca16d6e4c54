// Writes sealed.json: encrypted texts with their keys and a file of master keys, which both languages have to read. node test/services/trainer/python/golden-sealed.ts
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asDocumentId } from '../../../../schemas/index.ts'
import { MasterKeys } from '../../../../services/texts/master-keys.ts'
import { Texts } from '../../../../services/texts/texts.ts'
import { MemoryKeys } from '../../../support/memory-keys.ts'

const path = join(mkdtempSync(join(tmpdir(), 'winnow-sealed-')), 'keys.json')
const masterKeys = MasterKeys.create(path, 0)
const { sealing } = new Texts(new MemoryKeys(), masterKeys)
const plain = ['five', 'Ünïcödé, 漢字 and 🜁', '', 'a longer text, '.repeat(5000)]
const ids = [5n, 2n ** 64n - 1n, 7n, 8n].map(asDocumentId)
const documents = ids.map((docId, i) => ({ docId, text: plain[i]! }))
const first = sealing!.seal(documents.slice(0, 2))
masterKeys.addEpoch(0)
const second = sealing!.seal(documents.slice(2))
const texts = [...first.texts, ...second.texts]
const keys = [...first.keys, ...second.keys].map((key) => ({ ...key, docId: `${key.docId}` }))
writeFileSync(
  new URL('sealed.json', import.meta.url),
  `${JSON.stringify({ masterKeys: JSON.parse(readFileSync(path, 'utf8')), keys, texts: documents.map(({ docId, text }, i) => ({ docId: `${docId}`, text, sealed: texts[i] })) }, null, 2)}\n`,
)
