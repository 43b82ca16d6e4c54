/** What a source has among the documents that take part for a run but for its limit on near duplicates, and what the limit takes from it. */
export interface SourceCrowd {
  /** Its number: the upper 24 bits of its documents' ids. */
  readonly source: number
  readonly documents: number
  readonly tokens: number
  readonly lostDocuments: number
  readonly lostTokens: number
}

export interface SourceLoss extends SourceCrowd {
  /** Of all documents that take part but for the limit. */
  readonly share: number
  /** Of all documents that the limit takes out. */
  readonly lostShare: number
  /** `lostShare` over `share`: 1 is its share. */
  readonly ratio: number
  /** Whether the loss is more than chance would make of its share, and enough of the source to matter. */
  readonly counts: boolean
}

/** A source that loses this many times its share is told, where its loss counts. */
export const ratioTold = 2
/** Fewer lost documents say nothing. */
const lostMin = 20
/** Nor does a smaller part of a source. */
const partMin = 0.05
/** A loss counts this many standard deviations above what its share makes expected: near duplicates come in crowds, so that fewer would be chance. */
const deviations = 5

/**
 * What each source loses beside its share, the highest ratio first, then by number. The loss of a source with share p of the documents is expected to be e = p L
 * of L, with a standard deviation of at most sqrt(e); it counts if it is at least 20 documents, at least 5 % of the source and above e + 5 sqrt(e).
 */
export function lossesOf(crowds: readonly SourceCrowd[]): SourceLoss[] {
  const documents = crowds.reduce((sum, one) => sum + one.documents, 0)
  const lost = crowds.reduce((sum, one) => sum + one.lostDocuments, 0)
  const losses = crowds.map((one) => {
    const share = documents === 0 ? 0 : one.documents / documents
    const lostShare = lost === 0 ? 0 : one.lostDocuments / lost
    const expected = share * lost
    const counts =
      one.lostDocuments >= lostMin &&
      one.lostDocuments >= partMin * one.documents &&
      one.lostDocuments > expected + deviations * Math.sqrt(expected)
    return { ...one, share, lostShare, ratio: share === 0 ? 0 : lostShare / share, counts }
  })
  return losses.sort((a, b) => b.ratio - a.ratio || a.source - b.source)
}

/** Those that lose more than `times` their share. */
export const losingMore = <T extends SourceLoss>(losses: readonly T[], times = ratioTold): T[] =>
  losses.filter(({ counts, ratio }) => counts && ratio > times)
