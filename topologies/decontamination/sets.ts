import { createHash } from 'node:crypto'
import { EvalItems, EvalSet } from '../../schemas/index.ts'
import type { EvalTexts } from './filter.ts'

/** Names of sets: part of the names of lists. */
export const evalSetName = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$/

/** The list by which documents are excluded that contain an item of a set. */
export const listOf = (set: string): string => `eval-set/${set}`

export const keyOfSet = (name: string): string => `set/${name}`
export const keyOfItems = (name: string, version: string, chunk: number): string => `items/${name}/${version}/${chunk}`

/** The same items, compared in the same way. */
export const versionOf = ({ ngram, share, items }: Pick<EvalTexts, 'ngram' | 'share' | 'items'>): string =>
  digestOf([ngram, share, ...items])

const digestOf = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex')

/** The recorded evaluation sets: the fold of `winnow.eval-sets`. */
export class EvalSets {
  /** By name, those too that were removed. */
  readonly #sets = new Map<string, EvalSet>()
  readonly #chunks = new Map<string, readonly string[]>()

  /** @param record name of the record's type; in log order */
  apply(record: string, value: unknown): void {
    if (record === EvalSet.name) this.#sets.set((value as EvalSet).name, value as EvalSet)
    if (record !== EvalItems.name) return
    const { set, version, chunk, items } = value as EvalItems
    this.#chunks.set(keyOfItems(set, version, chunk), items)
  }

  /** By name, those too that were removed. */
  get all(): readonly EvalSet[] {
    return [...this.#sets.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  named(name: string): EvalSet | undefined {
    return this.#sets.get(name)
  }

  get active(): readonly EvalSet[] {
    return this.all.filter(({ active }) => active)
  }

  /** What documents are compared with, by name. */
  get texts(): EvalTexts[] {
    return this.active.map(({ name, version, ngram, share, chunks }) => ({
      ...{ name, ngram, share },
      items: Array.from({ length: chunks }, (_, n) => this.#chunks.get(keyOfItems(name, version, n)) ?? []).flat(),
    }))
  }

  /**
   * What documents were compared with that have been compared: another one after each set that is added, so that all documents are compared again, and the same
   * after one is removed. Undefined: there is no set.
   */
  get version(): string | undefined {
    if (this.active.length === 0) return undefined
    return digestOf(this.all.map(({ name, version, addedMs }) => [name, version, addedMs])).slice(0, 16)
  }
}
