import type { DocumentId, Manifest } from '../../schemas/index.ts'
import type { CorpusStore } from '../corpus-store.ts'
import { timesRead } from '../selection/reads.ts'

/** A run's earlier selections, in emission order. */
export interface ReadsSource {
  selection(manifest: Manifest): AsyncIterable<readonly DocumentId[]>
}

/**
 * Records what the trainer read of a selection (SELECTION.md, step 5): the i-th of n documents floor((m - i - 1) / n) + 1 times.
 * @param read m, the trainer's position when the next round opened; null: no report, the whole selection once
 */
export async function recordReads(
  store: CorpusStore,
  selections: ReadsSource,
  manifest: Manifest,
  read: number | null,
): Promise<void> {
  const m = read ?? manifest.documents
  async function* counts() {
    let index = 0
    for await (const ids of selections.selection(manifest)) {
      const times = new Map<DocumentId, number>()
      for (const id of ids) {
        const count = timesRead(index++, manifest.documents, m)
        if (count > 0) times.set(id, count)
      }
      yield times
      if (index >= m) return
    }
  }
  await store.addReads(manifest.run, manifest.round, counts())
}
