import type { Manifest, Offset, Part } from '../../schemas/index.ts'

type Place = Pick<Manifest, 'documents' | 'chunkDocuments' | 'chunkOffsetFirst' | 'parts'>

/** How many chunks a selection has. */
export const chunkCount = ({ documents, chunkDocuments }: Pick<Manifest, 'documents' | 'chunkDocuments'>): number =>
  documents === 0 ? 0 : Math.ceil(documents / chunkDocuments)

/** The parts of a selection in order. Manifests older than parts have one. */
function partsOf(manifest: Place): readonly Part[] {
  if (manifest.documents === 0) return []
  return manifest.parts.length > 0 ? manifest.parts : [{ chunkFirst: 0, offsetFirst: manifest.chunkOffsetFirst }]
}

/** A range of the selections topic: `chunks` records from `offsetFirst` on. */
export interface Stretch {
  readonly offsetFirst: Offset
  readonly chunks: number
}

/** Where the chunks of a selection from number `chunk` on are, in order. Between two ranges there are transaction markers. */
export function stretchesFrom(manifest: Place, chunk: number): Stretch[] {
  const parts = partsOf(manifest)
  return parts.flatMap(({ chunkFirst, offsetFirst }, i) => {
    const end = parts[i + 1]?.chunkFirst ?? chunkCount(manifest)
    const first = Math.max(chunkFirst, chunk)
    return first < end ? [{ offsetFirst: (offsetFirst + first - chunkFirst) as Offset, chunks: end - first }] : []
  })
}
