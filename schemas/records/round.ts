import {
  array,
  documented,
  documentId,
  double,
  int,
  long,
  nullable,
  offset,
  partition,
  string,
  word,
} from '../field.ts'
import { nested, type RecordValue, record } from '../record.ts'
import { ActorChange, Promoted, Steering } from './change.ts'

export const TopicOffset = record('TopicOffset', 'A place in a partition', {
  topic: string,
  partition,
  offsetNext: documented(offset, 'Records before this one are covered'),
})
export type TopicOffset = RecordValue<typeof TopicOffset>

const Sample = record('Sample', 'The documents asked for one subcategory', {
  actor: string,
  subcategory: int,
  docIds: array(documentId),
  labels: {
    ...documented(
      array(array(int)),
      'Of each document its subcategory for every actor of the round, in configuration order; empty unless the weights of all actors are fitted together',
    ),
    // Of rounds opened before this field existed.
    default: [],
  },
  held: {
    ...documented(long, 'Documents of the subcategory that they were drawn from; 0: not recorded, as labels'),
    default: 0,
  },
})
export type Sample = RecordValue<typeof Sample>

const SelectionRead = record('SelectionRead', 'How much of a selection was read', {
  round: int,
  read: documented(long, 'm: documents passed'),
})
export type SelectionRead = RecordValue<typeof SelectionRead>

const OtherText = record('OtherText', 'What the loss on other text comes to, for a run that bounds it', {
  share: documented(double, 'Of the budget: what the round draws from the natural mixture; at most six decimals'),
  step: documented(
    nullable(long),
    'Of the report of the trainer that it comes from; null: none could be held against anything',
  ),
  loss: documented(nullable(double), 'That was reported there, nats per token'),
  heldAgainst: documented(nullable(double), 'Likewise, after as many tokens'),
})
export type OtherText = RecordValue<typeof OtherText>

/** Everything the console decided that depends on time; the rest is arithmetic. Key: the round. */
export const RoundOpened = record('RoundOpened', 'A round was opened', {
  run: string,
  round: int,
  step: long,
  checkpointPath: nullable(string),
  checkpointDigest: nullable(string),
  previousRead: documented(
    nullable(long),
    'm: how many documents of the previous selection the trainer had passed; null: unknown',
  ),
  labelOffsets: documented(array(nested(TopicOffset)), 'The corpus as of these offsets'),
  samples: array(nested(Sample)),
  deadlineMs: documented(nullable(long), 'Closes at this time at the latest, milliseconds since the epoch'),
  changes: {
    ...documented(
      array(nested(ActorChange)),
      "Changes of the run's actors that hold from this round on, in order. The configuration of a round is the run's with all changes of its openings so far",
    ),
    // Of rounds opened before this field existed.
    default: [],
  },
  reads: {
    ...documented(
      array(nested(SelectionRead)),
      'Selections before the previous one of which more was read than earlier openings say: a trainer that does not wait reads on after a round has opened',
    ),
    // Of rounds opened before this field existed.
    default: [],
  },
  promoted: {
    ...nullable(nested(Promoted)),
    doc: 'A shadow of the run, by whose settings and weights the run goes on from this round on',
    // Of rounds opened before this field existed.
    default: null,
  },
  steered: {
    ...documented(
      array(nested(Steering)),
      'What somebody steered and holds from this round on, in order, also where a shadow is promoted later',
    ),
    // Of rounds opened before this field existed.
    default: [],
  },
  otherText: {
    ...nullable(nested(OtherText)),
    doc: 'Of a run that bounds the loss on other text; null: it does not',
    // Of rounds opened before this field existed.
    default: null,
  },
})
export type RoundOpened = RecordValue<typeof RoundOpened>

/** What a run with stages decides between the closing of a round and its selection. Key: the round. */
export const RoundRelabelled = record('RoundRelabelled', 'A round has the labels of its stage, or goes on without', {
  run: string,
  round: int,
  change: {
    ...nullable(nested(ActorChange)),
    doc: 'Holds from this round on, as those of its opening do; null: no fit to its rewards was there in time',
  },
  labelOffsets: documented(
    array(nested(TopicOffset)),
    "The corpus as of these offsets, in place of those of the opening: they differ in the labels of the change's actor alone",
  ),
})
export type RoundRelabelled = RecordValue<typeof RoundRelabelled>

export const RoundClosed = record('RoundClosed', 'A round was closed', {
  run: string,
  round: int,
  reason: word(['answered', 'deadline']),
  rewardOffsets: documented(array(nested(TopicOffset)), 'Rewards before these offsets count, later ones are late'),
  missing: documented(long, 'Requests without an answer'),
})
export type RoundClosed = RecordValue<typeof RoundClosed>

/** An actor's state after a round, with the input offsets it covers. Key: actor and round. */
export const ActorState = record('ActorState', 'Weights of an actor after a round', {
  run: string,
  actor: string,
  round: int,
  weights: array(double),
  rewards: documented(array(nullable(double)), 'R_A^j of this round; null without a reward'),
  counts: documented(array(long), 'Accepted rewards of this round by subcategory'),
  everRewarded: documented(array(int), 'Subcategories, by index, that had a reward in this run'),
  inputOffsets: documented(array(nested(TopicOffset)), 'Where to go on reading'),
})
export type ActorState = RecordValue<typeof ActorState>
