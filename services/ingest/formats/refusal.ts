import { basename } from 'node:path'
import { WinnowError } from '../../runtime/errors.ts'
import { storeOf } from '../../runtime/stores/place.ts'
import type { Advice, Foreign } from './format.ts'
import { quoted, remoteCommands } from './remote-commands.ts'

export { quoted }

export interface ForeignSource {
  readonly name: string
  /** Null: standard input. */
  readonly path: string | null
  readonly format: Foreign
}

/** What reads the files: a hint says how to bring the rows of another file to it. `file`: it reads files alone. */
export type Receiver = 'ingest' | 'deduplicate' | 'label' | 'file'

/** What follows a command that writes rows to standard output, so that the receiver gets them. @param name of the source */
export function handedTo(receiver: Receiver, name: string): string {
  if (receiver === 'deduplicate') return '| winnow deduplicate -'
  if (receiver === 'label') return '| winnow labeler label --actor ACTOR -'
  if (receiver === 'ingest') return `| winnow ingest --name ${quoted(name)} -`
  // Never the file itself, which the shell would empty first.
  return `> ${quoted(`${basename(name).replace(/(\.\w+){1,2}$/, '')}-rows.jsonl`)}`
}

/** At most this many are named; the rest are only counted. */
const namedMax = 20

/** A single error for all sources in unsupported formats, with what to do about each. */
export function foreignError(sources: readonly ForeignSource[], receiver: Receiver = 'ingest'): WinnowError {
  const sentences = sources
    .slice(0, namedMax)
    .map(({ path, format }) => `${path ?? 'standard input'} is ${format.what}`)
  if (sources.length > namedMax) sentences.push(`and ${sources.length - namedMax} more`)
  const hints = new Set(sources.slice(0, namedMax).map((source) => remedy(source, receiver)))
  return new WinnowError('CONFIGURATION', sentences.join('; '), { hint: [...hints].join('; ') })
}

/** What to do about a source, as a command if there is one. */
export function remedy({ name, path, format: { advice } }: ForeignSource, receiver: Receiver = 'ingest'): string {
  if ('sentence' in advice) return advice.sentence
  return `${commandOf(advice, path)} ${handedTo(receiver, name)}`
}

function commandOf({ filter }: Extract<Advice, { filter: string }>, path: string | null): string {
  if (path !== null && storeOf(path) !== undefined) return `${remoteCommands(path)[0]} | ${filter.replace(' @', '')}`
  if (path === null) return `... | ${filter.replace(' @', '')}`
  return filter.includes(' @') ? filter.replace('@', quoted(path)) : `${filter} ${quoted(path)}`
}

export const parquetFromStandardInput = () =>
  new WinnowError('CONFIGURATION', 'standard input is a Parquet file, which is read from its end', {
    hint: 'write it to a file and give that one',
  })
