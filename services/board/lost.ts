import { LRUCache } from 'lru-cache'
import type { Manifest } from '../../schemas/index.ts'
import { losingMore } from '../../topologies/duplicates/losses.ts'
import type { Runtime } from '../connections/connections.ts'
import { duplicateLosses, type NamedLoss } from '../corpus/duplicate-losses.ts'
import type { FollowedRun } from './model.ts'

/** Finished counts that are kept: they never change. */
const keptMax = 64
/** Sources that are sent, those that lose most beside their share. */
const sourcesMax = 50

export interface Lost {
  /** Whether the run limits near duplicates in this round. */
  readonly limited: boolean
  readonly sources: readonly (NamedLoss & { readonly more: boolean })[]
}

/** What sources lose to near duplicates in selections, each counted once. */
export class LostToDuplicates {
  readonly #runtime: Runtime
  readonly #kept = new LRUCache<string, Promise<Lost>>({ max: keptMax })

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  of(run: FollowedRun, manifest: Manifest): Promise<Lost> {
    const key = `${manifest.run} ${manifest.round} ${manifest.selectionDigest}`
    const kept = this.#kept.get(key)
    if (kept !== undefined) return kept
    const counting = this.#count(run, manifest)
    this.#kept.set(key, counting)
    counting.catch(() => this.#kept.delete(key))
    return counting
  }

  async #count({ config, model }: FollowedRun, manifest: Manifest): Promise<Lost> {
    const ofRound = model.view.configurationOf(config).at(manifest.round)
    const losses = await duplicateLosses(this.#runtime, ofRound, manifest)
    if (losses === undefined) return { limited: false, sources: [] }
    const more = new Set(losingMore(losses))
    const told = losses.filter(({ lostDocuments }) => lostDocuments > 0).slice(0, sourcesMax)
    return {
      limited: true,
      sources: told.map((one) => ({ ...one, more: more.has(one) })),
    }
  }
}
