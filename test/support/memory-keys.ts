import type { DocumentId } from '../../schemas/index.ts'
import type { WrappedKey } from '../../services/texts/master-keys.ts'
import type { TextKeys } from '../../services/texts/texts.ts'

/** Keys of texts in memory. */
export class MemoryKeys implements TextKeys {
  readonly kept: WrappedKey[] = []
  readonly erased = new Set<DocumentId>()

  async add(keys: readonly WrappedKey[]): Promise<void> {
    this.kept.push(...keys)
  }

  async of(ids: readonly DocumentId[]): Promise<WrappedKey[]> {
    return this.kept.filter(({ docId }) => ids.includes(docId))
  }

  async newest(): Promise<WrappedKey | undefined> {
    return this.kept.toSorted((a, b) => b.epoch - a.epoch)[0]
  }

  async askedToErase(ids: readonly DocumentId[]): Promise<ReadonlySet<DocumentId>> {
    return new Set(ids.filter((docId) => this.erased.has(docId)))
  }

  /** As an erasure does: it is asked for before the keys go. */
  erase(ids: readonly DocumentId[]): void {
    for (const docId of ids) this.erased.add(docId)
    this.lose(ids)
  }

  /** As the loss of a disk does. */
  lose(ids: readonly DocumentId[]): void {
    this.kept.splice(0, this.kept.length, ...this.kept.filter(({ docId }) => !ids.includes(docId)))
  }
}
