import { placeSql } from './key-sql.ts'

/**
 * Which shard of a cluster a row goes to: by the place of its document (SELECTION.md, "Random choices"), so that all that is known of a
 * document is on one shard, and every shard has an even part of every cell. Rows without a document go by what tells them from each other.
 */
export function shardKey(columns: readonly string[], sortingKey: readonly string[]): string {
  if (columns.includes('place')) return 'place'
  if (columns.includes('doc')) return placeSql('doc', 'shard')
  return `sipHash64(${sortingKey.join(', ')})`
}
