/** Names of files that hold rows, in either case. A file given by its own path may have any name. */
const rows = /\.((jsonl|jsonlines|ndjson|ldjson|json)(\.(gz|gzip|zst|zstd))?|parquet|parq|pq)$/i

const compressed = /\.(gz|gzip|zst|zstd|xz|lzma|bz2|lz4|br|zip|7z|sz|snappy|z)$/i

/** Folders that multi-file writers use for unfinished files (Spark), or names of such files (editors, downloads). */
const temporary = /^(_temporary$|~)/
/** The logs that table formats keep beside their rows. */
const tableLog = /^(_delta_log|_spark_metadata)$/

/** How a folder's entry is treated, by its name within the folder: the same whether the folder is watched or not. */
export type Standing = 'rows' | 'other' | 'temporary' | 'hidden'

export function standingOf(name: string): Standing {
  const parts = name.split('/')
  if (parts.some((part) => part.startsWith('.'))) return 'hidden'
  if (parts.some((part) => temporary.test(part) || tableLog.test(part))) return 'temporary'
  return rows.test(name) ? 'rows' : 'other'
}

/** The extension of a file, with the one before it if it is a compression's; empty if there is none. */
export function extensionOf(name: string): string {
  const base = name.split('/').at(-1) ?? ''
  const packed = compressed.exec(base)?.[0] ?? ''
  const inner = /\.[\w-]+$/.exec(base.slice(0, base.length - packed.length))?.[0] ?? ''
  return `${inner}${packed}`.toLowerCase()
}

/** Whether settings and descriptions have such names too. */
export const mayBeDescription = (name: string): boolean => /\.json(\.(gz|gzip|zst|zstd))?$/i.test(name)
