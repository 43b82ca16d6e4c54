import { createHash } from 'node:crypto'

/** Documents of equal score: those of one cell that were read equally often. */
export interface Group {
  /** The cell: the subcategory of each actor, in configuration order. */
  labels: number[]
  /** How often this run's trainer has read each of them. */
  reads: number
  documents: number
  /** Their total tokens. */
  tokens: number
}

/** The groups in their canonical order: by labels, then reads. */
function orderedGroups(groups: readonly Group[]): Group[] {
  return [...groups].sort(compareGroups)
}

function compareGroups(a: Group, b: Group): number {
  for (let i = 0; i < a.labels.length; i++) {
    const difference = a.labels[i]! - b.labels[i]!
    if (difference !== 0) return difference
  }
  return a.reads - b.reads
}

/** SHA-256, in hexadecimal, of the groups in canonical order: one line `labels joined by commas;reads;documents;tokens` per group. */
export function histogramDigest(groups: readonly Group[]): string {
  const hash = createHash('sha256')
  for (const { labels, reads, documents, tokens } of orderedGroups(groups)) {
    hash.update(`${labels.join(',')};${reads};${documents};${tokens}\n`)
  }
  return hash.digest('hex')
}
