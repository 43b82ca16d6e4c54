import type { SelectionConfig } from '../../topologies/selection/config.ts'
import type { MemoryCorpus } from '../../topologies/selection/memory-corpus.ts'
import { countedReward } from '../../topologies/selection/price.ts'
import { parseId } from '../../topologies/selection/u64.ts'
import { DocumentSet } from './document-set.ts'
import { own } from './json-line.ts'
import type { RejectionReason } from './reasons.ts'
import { forEachRecord } from './records.ts'
import type { Rejections } from './rejections.ts'
import type { RewardSpill } from './reward-spill.ts'

/**
 * Reads R.jsonl into the spill; of several rewards for the same (round, actor, document) the first in the file counts. A file has no closing
 * times, so rewards of a round count wherever they are, and none is late. A round exists once a line names it, even if that line is rejected
 * for another reason.
 *
 * Memory: one DocumentSet for each (round, actor), so at most rounds * actors * documents / 8 bytes, however many lines there are.
 */
export async function readRewards(
  file: string,
  config: SelectionConfig,
  corpus: MemoryCorpus,
  spill: RewardSpill,
  rejections: Rejections,
  onBlock: () => void,
): Promise<void> {
  const actorByName = new Map(config.actors.map(({ name }, a) => [name, a]))
  const seen = new Map<number, (DocumentSet | undefined)[]>()

  await forEachRecord(file, { rejections, onBlock }, (object, reasonSoFar) => {
    const round = own(object, 'round')
    if (!isRound(round)) return reasonSoFar ?? 'unknown-round'
    spill.open(round)
    if (reasonSoFar !== null) return reasonSoFar
    const actor = actorByName.get(own(object, 'actor') as string)
    if (actor === undefined) return 'unknown-actor'
    const document = findDocument(own(object, 'docId'), corpus)
    if (typeof document !== 'number') return document
    const reward = own(object, 'reward')
    if (typeof reward !== 'number') return 'bad-reward'
    const counted = countedReward(config, reward, own(object, 'other') as number | undefined)
    if (typeof counted === 'string') return counted
    const byActor = seen.get(round) ?? []
    seen.set(round, byActor)
    byActor[actor] ??= new DocumentSet(corpus.size)
    if (!byActor[actor].add(document)) return 'duplicate'
    spill.add(round, actor, document, counted)
    return null
  })
}

function isRound(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

/** The document's number in the corpus, or why there is none. */
function findDocument(docId: unknown, corpus: MemoryCorpus): number | RejectionReason {
  const id = typeof docId === 'string' ? parseId(docId) : null
  if (id === null) return 'bad-id'
  const document = corpus.find(Number(id & 0xffffffffn), Number(id >> 32n))
  return document === -1 ? 'unknown-document' : document
}
