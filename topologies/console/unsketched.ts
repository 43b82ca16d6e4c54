import { type TopicOffset, topics } from '../../schemas/index.ts'
import { type CorpusStore, columnsOf, duplicatesOf, type Preparing } from '../corpus-store.ts'
import type { RunConfig } from '../run-config.ts'

/**
 * How far the documents before some offsets are sketched as a run wants them to be; undefined: all that have their labels are, or it wants none. A run that
 * begins to limit near duplicates waits for that, since documents take part once they are sketched.
 * @param labelOffsets of the round that would open
 * @param seen offsets of documents
 */
export async function unsketched(
  store: Pick<CorpusStore, 'sketched'>,
  run: RunConfig,
  labelOffsets: readonly TopicOffset[],
  seen: readonly TopicOffset[],
): Promise<Preparing | undefined> {
  const limit = duplicatesOf(run)
  if (limit === undefined) return undefined
  const isDocuments = ({ topic }: TopicOffset) => topic === topics.documents.name
  const asOf = [...seen.filter(isDocuments), ...labelOffsets.filter((place) => !isDocuments(place))]
  const sketched = await store.sketched({ columns: columnsOf(run), labelOffsets: asOf }, limit.version)
  return sketched.done < sketched.total ? sketched : undefined
}
