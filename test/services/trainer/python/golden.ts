// Writes packing.jsonl, what services/trainer/packer.ts makes of seeded documents, for test_packing.py, and pieces.jsonl, how services/ingest/pieces.ts
// cuts texts, for test_source_files.py. `npx node golden.ts` writes both again.
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { piecesOf } from '../../../../services/ingest/pieces.ts'
import { packBatches, type StreamPosition } from '../../../../services/trainer/packer.ts'
import { Seeded } from '../../../support/seeded.ts'

/** Document i of a case has tokens i * 1000 + 1, i * 1000 + 2, ... */
export interface PackingCase {
  readonly lengths: readonly number[]
  readonly batch: number
  readonly context: number
  readonly end: number
  readonly from: StreamPosition
  /** [document, token, documentsRead, first 16 digits of the SHA-256 of the ids as little-endian int32] of each batch. */
  readonly batches: readonly (readonly [number, number, number, string])[]
}

export const goldenFile = join(import.meta.dirname, 'packing.jsonl')

export async function goldenCases(): Promise<PackingCase[]> {
  const random = new Seeded(16)
  const cases: PackingCase[] = []
  for (let n = 0; n < 250; n++) {
    const [batch, context] = [1 + random.below(4), 1 + random.below(9)]
    // Empty documents, documents longer than a batch, and everything between.
    const longest = random.pick([0, 1, 5, 3 * batch * context])
    const lengths = Array.from({ length: 1 + random.below(40) }, () => random.below(longest + 1))
    const document = random.below(lengths.length)
    const from = { document, token: random.below(lengths[document]! + 1) }
    const end = random.below(3)
    const documents = lengths.map((length, i) => Int32Array.from({ length }, (_, j) => 1000 * i + j + 1))
    const batches: PackingCase['batches'][number][] = []
    for await (const packed of packBatches(documents.slice(document), { batch, context, end, from })) {
      const digest = createHash('sha256').update(new Uint8Array(packed.ids.buffer)).digest('hex').slice(0, 16)
      batches.push([packed.position.document, packed.position.token, packed.documentsRead, digest])
    }
    cases.push({ lengths, batch, context, end, from, batches })
  }
  return cases
}

export interface PiecesCase {
  readonly text: string
  readonly bytesMax: number
  readonly pieces: readonly string[]
}

export const piecesFile = join(import.meta.dirname, 'pieces.jsonl')

export function piecesCases(): PiecesCase[] {
  const random = new Seeded(17)
  const parts = ['a', 'bc', 'é', '。', '🚢', ' ', '. ', '! ', '? ', '\n', '\n\n', '\r\n', '\u3000']
  return Array.from({ length: 80 }, () => {
    const text = Array.from({ length: random.below(60) }, () => random.pick(parts)).join('')
    const bytesMax = 8 + random.below(40)
    return { text, bytesMax, pieces: piecesOf(text, bytesMax) }
  })
}

export const goldenText = (cases: readonly object[]): string => cases.map((one) => `${JSON.stringify(one)}\n`).join('')

if (import.meta.main) {
  writeFileSync(goldenFile, goldenText(await goldenCases()))
  writeFileSync(piecesFile, goldenText(piecesCases()))
}
