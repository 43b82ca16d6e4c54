import { WinnowError } from '../../runtime/errors.ts'
import type { Advice, Foreign } from './format.ts'

export interface ForeignSource {
  readonly name: string
  /** Null: standard input. */
  readonly path: string | null
  readonly format: Foreign
}

/** At most this many are named; the rest are only counted. */
const namedMax = 20

/** A single error for all sources in unsupported formats, with what to do about each. */
export function foreignError(sources: readonly ForeignSource[]): WinnowError {
  const sentences = sources
    .slice(0, namedMax)
    .map(({ path, format }) => `${path ?? 'standard input'} is ${format.what}`)
  if (sources.length > namedMax) sentences.push(`and ${sources.length - namedMax} more`)
  const hints = new Set(sources.slice(0, namedMax).map((source) => remedy(source)))
  return new WinnowError('CONFIGURATION', sentences.join('; '), { hint: [...hints].join('; ') })
}

/** What to do about a source, as a command if there is one. */
export function remedy({ name, path, format: { advice } }: ForeignSource): string {
  if ('sentence' in advice) return advice.sentence
  return `${commandOf(advice, path)} | winnow ingest --name ${quoted(name)} -`
}

function commandOf({ filter }: Extract<Advice, { filter: string }>, path: string | null): string {
  if (path === null) return `... | ${filter.replace(' @', '')}`
  return filter.includes(' @') ? filter.replace('@', quoted(path)) : `${filter} ${quoted(path)}`
}

/** Quoted for a shell. */
export const quoted = (text: string): string =>
  /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

export const parquetFromStandardInput = () =>
  new WinnowError('CONFIGURATION', 'standard input is a Parquet file, which is read from its end', {
    hint: 'write it to a file and ingest that one',
  })
