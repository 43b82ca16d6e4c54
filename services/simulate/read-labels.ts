import type { SelectionConfig } from '../../topologies/selection/config.ts'
import type { MemoryCorpus } from '../../topologies/selection/memory-corpus.ts'
import { defaultStrategy, isUsableScore, scoredActors } from '../../topologies/selection/strategy.ts'
import { parseId } from '../../topologies/selection/u64.ts'
import { isObject, own } from './json-line.ts'
import { LabelScanner } from './label-scan.ts'
import type { RejectionReason } from './reasons.ts'
import { forEachRecord } from './records.ts'
import type { Rejections } from './rejections.ts'

/** Reads L.jsonl into the corpus. Lines that do not make a document go to `rejections`; labels of actors not configured are ignored. */
export async function readLabels(
  file: string,
  config: SelectionConfig,
  corpus: MemoryCorpus,
  rejections: Rejections,
  onBlock: () => void,
): Promise<void> {
  const names = config.actors.map(({ name }) => name)
  const sizes = config.actors.map(({ subcategories }) => subcategories.length)
  const scored = scoredActors(config.strategy ?? defaultStrategy, config.actors).map((a) => names[a]!)
  const scanner = new LabelScanner(names, sizes)
  const { document } = scanner
  // A line with scores goes to the careful parser.
  const scan = (bytes: Buffer, start: number, end: number): boolean =>
    scored.length === 0 &&
    scanner.scan(bytes, start, end) &&
    corpus.addWords(document.low, document.high, document.tokens, document.labels)
  await forEachRecord(
    file,
    { rejections, onBlock, scan },
    (object, reasonSoFar) => reasonSoFar ?? addDocument(object, names, sizes, scored, corpus),
  )
}

/** @returns why the document was not added, or null */
function addDocument(
  object: Record<string, unknown>,
  names: readonly string[],
  sizes: readonly number[],
  scored: readonly string[],
  corpus: MemoryCorpus,
): RejectionReason | null {
  const docId = own(object, 'docId')
  const id = typeof docId === 'string' ? parseId(docId) : null
  if (id === null) return 'bad-id'
  const tokens = own(object, 'tokens')
  if (tokens === Number.POSITIVE_INFINITY || tokens === Number.NEGATIVE_INFINITY) return 'not-finite'
  if (!isCount(tokens)) return 'bad-tokens'
  const given = own(object, 'labels')
  if (given === undefined || given === null) return 'missing-label'
  if (!isObject(given)) return 'bad-label'
  const labels: number[] = []
  for (const [a, name] of names.entries()) {
    const label = own(given, name)
    if (label === undefined || label === null) return 'missing-label'
    if (!Number.isInteger(label)) return 'bad-label'
    if ((label as number) < 0 || (label as number) >= sizes[a]!) return 'unknown-subcategory'
    labels.push(label as number)
  }
  const scores = new Float64Array(names.length)
  const reason = readScores(own(object, 'scores'), names, scored, scores)
  if (reason !== null) return reason
  return corpus.add(id, tokens, labels, scores) ? null : 'duplicate'
}

/** Puts the scores that the strategy uses into `scores`, by actor. @returns why they cannot be used, or null */
function readScores(
  given: unknown,
  names: readonly string[],
  scored: readonly string[],
  scores: Float64Array,
): RejectionReason | null {
  if (scored.length === 0) return null
  if (given === undefined || given === null) return 'missing-score'
  if (!isObject(given)) return 'bad-score'
  for (const name of scored) {
    const score = own(given, name)
    if (score === undefined || score === null) return 'missing-score'
    if (typeof score !== 'number') return 'bad-score'
    if (!Number.isFinite(score)) return 'not-finite'
    if (!isUsableScore(score)) return 'score-out-of-range'
    scores[names.indexOf(name)] = score
  }
  return null
}

/** An integer of 0 or more that a double holds exactly. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
