import type { Manifest } from '../../schemas/index.ts'
import { type CorpusStore, columnsOf, duplicatesOf } from '../../topologies/corpus-store.ts'
import { lossesOf, type SourceLoss } from '../../topologies/duplicates/losses.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { sourceNames } from './source-names.ts'

export interface NamedLoss extends SourceLoss {
  /** Null: of a source that nobody recorded. */
  readonly name: string | null
}

/**
 * What each source lost to near duplicates in a selection: from the offsets that it cites, so the same whenever it is asked.
 * @param run as the round has it
 * @returns undefined: it takes any number of near duplicates
 */
export async function duplicateLosses(
  runtime: Parameters<typeof sourceNames>[0] & { readonly store: Pick<CorpusStore, 'crowdedOut'> },
  run: RunConfig,
  { labelOffsets }: Pick<Manifest, 'labelOffsets'>,
): Promise<NamedLoss[] | undefined> {
  const duplicates = duplicatesOf(run)
  if (duplicates === undefined) return undefined
  const crowds = await runtime.store.crowdedOut({ columns: columnsOf(run), labelOffsets, duplicates })
  const names = await sourceNames(runtime)
  return lossesOf(crowds).map((loss) => ({ ...loss, name: names.get(loss.source) ?? null }))
}
