/** Why a line was not accepted: the stable codes of rejected.jsonl, in one list. */
const rejectionReasons = {
  'not-json': 'the line is not JSON',
  'not-an-object': 'the line is JSON but not an object',
  'not-finite': 'a number is NaN or infinite',
  'line-too-long': 'the line is longer than 16 MiB',
  'bad-id': 'docId is not a decimal string of an unsigned 64-bit integer, without sign or leading zeros',
  'bad-tokens': 'tokens is not an integer of 0 or more',
  'missing-label': 'a configured actor has no label',
  'bad-label': 'a label is not an integer, or labels is not an object',
  'missing-score': 'an actor whose scores the strategy looks at has none',
  'bad-score': 'a score is not a number, or scores is not an object',
  'score-out-of-range': 'a score is 2^32 or more in size',
  'unknown-subcategory': 'a label is outside the subcategories of its actor',
  'bad-reward': 'reward is not a number',
  unpriced: 'other, the reward on other text that the price needs, is not a finite number',
  'bad-read': 'read is not an integer of 0 or more',
  'unknown-round': 'round is not an integer of 1 or more for a reward, of 0 or more for a position',
  'unknown-actor': 'the actor is not configured',
  'unknown-document': 'the document is not among the accepted labels',
  duplicate: 'the same document, (round, actor, document) or round was accepted before; the first counts',
} as const

export type RejectionReason = keyof typeof rejectionReasons
