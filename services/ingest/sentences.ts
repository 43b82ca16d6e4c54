import type { SourceResult } from './result.ts'

const outcomes: Record<SourceResult['outcome'], (source: SourceResult) => string> = {
  ingested: ({ documents, rejected, reasons, fields }) =>
    `${documents} documents${rejected > 0 ? `, ${rejected} rows to dead letters (${reasonsOf({ reasons, fields })})` : ''}`,
  already: ({ documentsTotal }) => `already ingested, ${documentsTotal} documents`,
  damaged: ({ documentsTotal }) => `breaks off, ${documentsTotal} documents before`,
  'too-large': ({ documentsTotal }) => `goes beyond a limit, ${documentsTotal} documents before`,
  refused: ({ why, rejected, reasons, fields }) =>
    rejected === 0
      ? `no documents, ${why ?? 'every row was refused before'}`
      : `no documents, ${why ?? `${rejected} rows`}, all refused (${reasonsOf({ reasons, fields })})`,
  'other-content': ({ why }) => `not ingested, ${why}`,
  stopped: ({ documents }) => `stopped, ${documents} documents; ingest it again to go on`,
}

/** What became of a source, for people. */
export const sentenceOf = (source: SourceResult): string => `${source.name}: ${outcomes[source.outcome](source)}`

/** `50 no-text (rows have: raw_content, url), 2 not-json` */
function reasonsOf({ reasons, fields }: Pick<SourceResult, 'reasons' | 'fields'>): string {
  const counts = Object.entries(reasons).map(([reason, count]) => {
    const have = reason === 'no-text' && fields.length > 0 ? ` (rows have: ${fields.join(', ')})` : ''
    return `${count} ${reason}${have}`
  })
  return counts.join(', ')
}

/** What is wrong with a source and what to do about it, as a line; empty if nothing is. */
export function warningOf(source: SourceResult): string {
  const { name, outcome, documentsTotal, rejected, reasons, why } = source
  switch (outcome) {
    case 'damaged':
      return (
        `${name} breaks off: what comes before is ingested (${documentsTotal} documents); ${why}. ` +
        'Replace it with the whole file and ingest it again; it goes on where it stopped.\n'
      )
    case 'too-large':
      return (
        `${name} goes beyond a limit: what comes before is ingested (${documentsTotal} documents); ${why}. ` +
        'Raise corpus.rowGroupBytesMax in winnow.yaml and ingest it again; it goes on where it stopped.\n'
      )
    case 'refused': {
      const todo =
        'no-text' in reasons
          ? 'If the text has another name, give it: --text-field NAME.'
          : 'winnow dead-letters list shows why.'
      return `${name} gave no document: ${rejected === 0 ? 'every row was refused when it was ingested' : reasonsOf(source)}. ${todo} It can be ingested again under its name.\n`
    }
    case 'other-content':
      return (
        `${name} is left as it was ingested: ${why}. Document ids point to the rows ingested then, so they are not reused: ` +
        'ingest this one under another name, with --name.\n'
      )
    case 'ingested':
    case 'already':
      return documentsTotal === 0 && rejected === 0 ? `${name} holds no row: is it whole?\n` : ''
    case 'stopped':
      return ''
  }
}
