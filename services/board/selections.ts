import { LRUCache } from 'lru-cache'
import { asDocumentId, type DocumentId, type Manifest } from '../../schemas/index.ts'
import { columnsOf, takingPart } from '../../topologies/corpus-store.ts'
import { timesRead } from '../../topologies/selection/reads.ts'
import { scoreOf } from '../../topologies/selection/score.ts'
import type { Runtime } from '../connections/connections.ts'
import { countByLabels } from '../corpus/label-counts.ts'
import { chunksFrom } from '../selections/chunks.ts'
import type { FollowedRun } from './model.ts'

/** Of a larger selection, the first this many in emission order are examined. */
const documentsMax = 20_000
/** Finished compositions that are kept: they never change. */
const keptMax = 64

/** Documents by their labels, one per actor in configuration order: the basis of every share, pair and lift. */
export interface Composition {
  /** `score`: S(x) of Eq. 6 in this round, before any decay by reads. */
  readonly cells: readonly { labels: number[]; score: number; corpus: number; selected: number }[]
  /** How many of the selection's documents `selected` counts. */
  readonly looked: number
  readonly selection: number
}

/** Ids of a round's selection from its beginning, at most `count`. */
export async function selectedIds(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  manifest: Manifest,
  count: number,
): Promise<DocumentId[]> {
  const ids: DocumentId[] = []
  for await (const { docIds } of chunksFrom(runtime, manifest, 0)) {
    for (const id of docIds) ids.push(asDocumentId(id))
    if (ids.length >= count) break
  }
  return ids.slice(0, count)
}

/** Compositions of rounds, each computed once. */
export class Compositions {
  readonly #runtime: Runtime
  readonly #kept = new LRUCache<string, Promise<Composition>>({ max: keptMax })

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  of(run: FollowedRun, manifest: Manifest): Promise<Composition> {
    const key = `${manifest.run} ${manifest.round}`
    const kept = this.#kept.get(key)
    if (kept !== undefined) return kept
    const computing = this.#compute(run, manifest)
    this.#kept.set(key, computing)
    computing.catch(() => this.#kept.delete(key))
    return computing
  }

  async #compute({ config: recorded, model }: FollowedRun, manifest: Manifest): Promise<Composition> {
    const { store, clickHouse } = this.#runtime
    const config = model.view.configurationOf(recorded).at(manifest.round)
    const columns = columnsOf(config)
    const score = scoreOf(config.selection, manifest.round, manifest.weights, manifest.theta)
    const cells = new Map<string, { labels: number[]; score: number; corpus: number; selected: number }>()
    const cellOf = (labels: number[]) => {
      const cell = cells.get(labels.join()) ?? { labels, score: score(labels, 0), corpus: 0, selected: 0 }
      cells.set(labels.join(), cell)
      return cell
    }
    const view = await store.view(takingPart(config, manifest))
    for (const { labels, documents } of await view.groups()) cellOf([...labels]).corpus += documents
    const ids = await selectedIds(this.#runtime, manifest, documentsMax)
    for await (const { labels, documents } of countByLabels(clickHouse.sql, columns, ids))
      cellOf([...labels]).selected += documents
    return { cells: [...cells.values()], looked: ids.length, selection: manifest.documents }
  }
}

/** Documents that two selections have in common. */
export async function overlap(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  a: Manifest,
  b: Manifest,
): Promise<{ a: number; b: number; both: number; complete: boolean }> {
  const [ofA, ofB] = await Promise.all([a, b].map((manifest) => selectedIds(runtime, manifest, documentsMax)))
  const known = new Set(ofA)
  const both = ofB!.reduce((count, id) => count + (known.has(id) ? 1 : 0), 0)
  const complete = ofA!.length === a.documents && ofB!.length === b.documents
  return { a: ofA!.length, b: ofB!.length, both, complete }
}

/** How often documents repeat, by the first `documentsMax` of each round's selection. */
export interface Repeats {
  /** Documents of this round's selection by the number of earlier rounds that had selected them. */
  readonly selectedBefore: readonly number[]
  /** Documents of all rounds up to this one by how often the trainer has read them. */
  readonly timesRead: readonly number[]
  readonly complete: boolean
}

/**
 * @param manifests of the rounds up to the requested one, ascending @param passed how many documents of each one's selection the trainer has
 * read, continuing past its end
 */
export async function repeats(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  manifests: readonly Manifest[],
  passed: readonly number[],
): Promise<Repeats> {
  const rounds = new Map<DocumentId, number>()
  const reads = new Map<DocumentId, number>()
  let selectedBefore: number[] = []
  for (const [i, manifest] of manifests.entries()) {
    const ids = await selectedIds(runtime, manifest, documentsMax)
    selectedBefore = histogram(ids.map((id) => rounds.get(id) ?? 0))
    for (const [index, id] of ids.entries()) {
      rounds.set(id, (rounds.get(id) ?? 0) + 1)
      reads.set(id, (reads.get(id) ?? 0) + timesRead(index, manifest.documents, passed[i] ?? 0))
    }
  }
  const complete = manifests.every(({ documents }) => documents <= documentsMax)
  return { selectedBefore, timesRead: histogram([...reads.values()]), complete }
}

function histogram(values: readonly number[]): number[] {
  const counts: number[] = []
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return Array.from(counts, (count) => count ?? 0)
}
