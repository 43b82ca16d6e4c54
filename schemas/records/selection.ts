import { array, documented, documentIds, double, int, long, nullable, offset, string, u64, word } from '../field.ts'
import { nested, type RecordValue, record } from '../record.ts'
import { TopicOffset } from './round.ts'

const Marginal = record('Marginal', 'The level of equal score that the budget cuts', {
  score: double,
  documents: documented(long, 'Documents of this score'),
  taken: long,
  keyLast: documented(nullable(u64), 'Those whose key(id, select seed) is at most this were taken; null: none'),
})
export type Marginal = RecordValue<typeof Marginal>

const Part = record('Part', 'Chunks of a selection at offsets that follow one another', {
  chunkFirst: documented(int, 'Number of its first chunk within the selection'),
  offsetFirst: documented(offset, 'Where that chunk stands in the selections topic'),
})
/** Chunks of a selection that one transaction made visible, at consecutive offsets. */
export type Part = RecordValue<typeof Part>

const Stratum = record('Stratum', 'What a stratum of a mixture gave; without a mixture there is one', {
  subcategory: documented(nullable(int), "Of the mixture's actor; null: there is no mixture"),
  heldDocuments: documented(long, 'What the pool holds of it'),
  heldTokens: long,
  quota: documented(nullable(long), "In the budget's unit; null: all it holds, which is less than its share"),
  documents: long,
  tokens: long,
  threshold: documented(nullable(double), 'The lowest rank value taken: the score, or g of the sampler gumbel'),
  keyLast: documented(
    nullable(u64),
    'Of those at the threshold the ones whose key(id, select seed) is at most this were taken; null: no level was cut',
  ),
  refined: documented(long, 'Documents whose rank had to be computed exactly; 0: cells decided'),
})
export type Stratum = RecordValue<typeof Stratum>

/** A selection's manifest, by which readers can check the selection. Key: the round. */
export const Manifest = record('Manifest', 'What was selected, from what, and by which weights', {
  run: string,
  round: int,
  step: long,
  actors: documented(array(string), 'In configuration order; the order of theta, weights and actorRewards'),
  theta: array(double),
  weights: array(array(double)),
  actorRewards: documented(array(nullable(double)), 'R_A (Eq. 7)'),
  documents: long,
  tokens: long,
  threshold: documented(nullable(double), 'The lowest score selected'),
  marginal: nullable(nested(Marginal)),
  histogramDigest: documented(string, 'SHA-256 of the groups that were seen'),
  selectionDigest: documented(string, 'SHA-256 of the ids in emission order, each as 8 bytes little-endian'),
  selectionRoot: {
    ...documented(
      nullable(string),
      "Root of the selection's hash tree (docs/accountability.md), by which anybody can check that a document is in it or is not",
    ),
    // Of selections written before this field existed.
    default: null,
  },
  labelOffsets: array(nested(TopicOffset)),
  chunkDocuments: documented(int, 'Ids in every chunk but the last'),
  chunkOffsetFirst: documented(
    offset,
    'Offset of the first chunk in the selections topic; without parts chunk i stands at this offset + i',
  ),
  parts: {
    ...documented(
      array(nested(Part)),
      'Chunks that a transaction made visible together, in order: chunk i of the selection stands at offsetFirst + i - chunkFirst of the last part whose chunkFirst is at most i',
    ),
    // Of selections written before this field existed: a single part.
    default: [],
  },
  strata: documented(nullable(array(nested(Stratum))), 'Of a run with a strategy; null: it has none'),
})
export type Manifest = RecordValue<typeof Manifest>

const Estimate = record('Estimate', 'The mean reward of what a way to choose takes, with 95% bootstrap intervals', {
  policy: documented(
    string,
    'corpus: a document drawn at random; selection: this selection; others: what could have been',
  ),
  mean: documented(nullable(double), 'Mean raw reward; null: no answer is of a document that it takes'),
  low: nullable(double),
  high: nullable(double),
  gain: documented(nullable(double), 'mean less that of the corpus'),
  gainLow: nullable(double),
  gainHigh: nullable(double),
  effective: documented(double, 'How many answers of equal weight would say as much (Kish)'),
})
export type Estimate = RecordValue<typeof Estimate>

/** What a selection is worth, by rewards that its weights have not seen. Key: the round. */
export const Evaluation = record('Evaluation', 'What a selection and its alternatives are worth', {
  run: string,
  round: int,
  on: documented(
    word(['held-out', 'next-round']),
    'held-out: rewards of the round that no actor folded; next-round: rewards of the round after it, which its weights have not seen',
  ),
  answers: documented(long, 'Rewards that it is estimated from'),
  estimates: array(nested(Estimate)),
})
export type Evaluation = RecordValue<typeof Evaluation>

/** A piece of the selected-index stream. Key: the round. */
export const SelectionChunk = record('SelectionChunk', 'Selected ids in emission order', {
  run: string,
  round: int,
  indexFirst: documented(long, 'Global index of the first id'),
  docIds: documentIds,
})
export type SelectionChunk = RecordValue<typeof SelectionChunk>
