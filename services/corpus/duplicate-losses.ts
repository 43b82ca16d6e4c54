import type { Manifest } from '../../schemas/index.ts'
import { type CorpusStore, columnsOf, duplicatesOf } from '../../topologies/corpus-store.ts'
import { lossesOf, type SourceLoss } from '../../topologies/duplicates/losses.ts'
import type { RunConfig } from '../../topologies/run-config.ts'

/**
 * What each source lost to near duplicates in a selection: from the offsets that it cites, so the same whenever it is asked.
 * @param run as the round has it
 * @returns undefined: it takes any number of near duplicates
 */
export async function duplicateLosses(
  { store }: { readonly store: Pick<CorpusStore, 'crowdedOut'> },
  run: RunConfig,
  { labelOffsets }: Pick<Manifest, 'labelOffsets'>,
): Promise<SourceLoss[] | undefined> {
  const duplicates = duplicatesOf(run)
  if (duplicates === undefined) return undefined
  return lossesOf(await store.crowdedOut({ columns: columnsOf(run), labelOffsets, duplicates }))
}
