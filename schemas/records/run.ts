import {
  array,
  bytes,
  documented,
  documentId,
  documentIds,
  double,
  int,
  long,
  nullable,
  offset,
  partition,
  string,
  u64,
  word,
} from '../field.ts'
import { nested, type RecordValue, record } from '../record.ts'

/** A run. Compacted by name; the log alone is enough to repeat it. */
export const Run = record('Run', 'A selection run', {
  run: string,
  config: documented(string, 'The whole run configuration, as JSON'),
  replayOf: documented(nullable(string), 'The run whose recorded streams this one refolds'),
  selectionVersion: {
    ...documented(int, 'The version of docs/SELECTION.md that its selections are made by'),
    // Of runs recorded before this field existed.
    default: 1,
  },
  life: {
    ...documented(
      word(['active', 'paused', 'ended', 'archived']),
      'What a person wants of it: paused, its services rest; ended, they never start again; archived, it is not shown either',
    ),
    default: 'active',
  },
  recordedMs: documented(nullable(long), 'When it was first recorded, milliseconds since the epoch; null: not known'),
})
export type Run = RecordValue<typeof Run>
export type RunLife = Run['life']

const Checkpoint = record('Checkpoint', 'A model checkpoint', {
  path: documented(string, 'Where influence workers find it (safetensors)'),
  digest: documented(string, 'SHA-256 of the file'),
  step: long,
})
export type Checkpoint = RecordValue<typeof Checkpoint>

/** A trainer's report. Key: the run. */
export const Progress = record('Progress', 'Where a trainer is', {
  run: string,
  step: documented(long, 'Optimizer steps done'),
  tokens: documented(long, 'Tokens trained on'),
  round: documented(int, 'The round whose selection it reads'),
  position: documented(long, 'Global index into that selection: documents passed, counting on past its end'),
  trainLoss: documented(nullable(double), 'Mean loss in nats per token since the last report'),
  referenceLoss: documented(nullable(double), 'Loss on the held-out part of the reference, nats per token'),
  corpusLoss: documented(nullable(double), 'Loss on held-out documents of the corpus, nats per token'),
  checkpoint: { ...nullable(nested(Checkpoint)), doc: 'Written at this step; a multiple of U steps opens a round' },
})
export type Progress = RecordValue<typeof Progress>

/**
 * From which step on a run trains on which selection, by its trainer, in the topic of its reports. Key: the run. Two of a round may stand in the log: in
 * mode `ready` the decision that a later step begins with it, `previousRead` null, and, as in every mode, its beginning, before its first batch is read.
 */
export const RoundAdopted = record('RoundAdopted', 'A trainer begins with the selection of a round', {
  run: string,
  round: int,
  step: documented(long, 'Optimizer steps done before the first on this selection'),
  sequenceFirst: documented(long, 'Sequences of the run, of all ranks together, before the first of this selection'),
  previousRound: documented(nullable(int), 'The round whose selection was read until then; null: none'),
  previousRead: documented(
    nullable(long),
    'How many documents of that selection were passed in all; null: it is decided, and not begun yet, or there was none',
  ),
})
export type RoundAdopted = RecordValue<typeof RoundAdopted>

/** Asks for the reward of one document at one checkpoint. Key: the document's id. */
export const RewardRequest = record('RewardRequest', 'Asks what training on a document would do', {
  run: string,
  round: int,
  actor: string,
  docId: documentId,
  text: string,
  checkpointPath: string,
  checkpointDigest: string,
})
export type RewardRequest = RecordValue<typeof RewardRequest>

/** The answer. Key: the document's id. Of several for the same (run, round, actor, document) the first in log order counts. */
export const Reward = record('Reward', 'The influence of a document on the reference (Eq. 3, positive helps)', {
  run: string,
  round: int,
  actor: string,
  docId: documentId,
  reward: double,
  checkpointDigest: string,
  graphDigest: string,
  estimator: documented(string, 'For example gradient/cosine/identity'),
  projectionSeed: string,
  taskRewards: documented(
    nullable(array(double)),
    'The reward on each reference task, in the order of the run; reward combines them. With reference.other that on other text is the last, and not combined. Null: there is one task',
  ),
})
export type Reward = RecordValue<typeof Reward>

const TopicOffset = record('TopicOffset', 'A place in a partition', {
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

/** What somebody wants of a run's actors from some round on. Key: its id. What has become of it is in the opening of a round. */
const RewardOffset = record('RewardOffset', "A place in a partition of a run's rewards", {
  partition,
  offsetNext: documented(offset, 'Records before this one are covered'),
})

const LabelerFit = record('LabelerFit', 'What a labeler of predicted influence was fitted to', {
  run: documented(string, 'Whose rewards'),
  rounds: documented(array(int), 'The rounds that asked for them, ascending'),
  rewardOffsets: documented(array(nested(RewardOffset)), 'Rewards of these rounds before these offsets count'),
  checkpoint: documented(string, 'Digest of the checkpoint of the last of these rounds'),
  probes: documented(int, 'Documents that it was fitted to; those that the run holds out are not among them'),
  inputs: documented(
    string,
    'SHA-256 of run, rounds, checkpoints, settings, and the id, reward and weight of each probe',
  ),
  settings: documented(string, 'How it was fitted, as JSON'),
  spearman: documented(double, 'Of predictions and rewards of documents that the prediction had not seen'),
  measured: documented(int, 'How many those documents are'),
  chance: documented(double, 'The Spearman correlation that noise exceeds once in twenty times'),
})
export type LabelerFit = RecordValue<typeof LabelerFit>

const SubcategoryPart = record('SubcategoryPart', 'A subcategory that another one goes on from', {
  subcategory: string,
  documents: documented(long, 'How many documents had its label, by which several are weighed; of a single one 0'),
})

const SubcategoryOrigin = record('SubcategoryOrigin', 'What a subcategory of other labels goes on from', {
  subcategory: string,
  from: documented(
    array(nested(SubcategoryPart)),
    'None: it is new; one: its weight, as it stands; several: their mean, weighted by documents',
  ),
})

export const SubcategoryMapping = record('SubcategoryMapping', 'How subcategories of an actor become others', {
  origins: documented(array(nested(SubcategoryOrigin)), 'Of each subcategory from then on, in order'),
  retired: documented(array(string), 'Those that nothing goes on from'),
})
export type SubcategoryMapping = RecordValue<typeof SubcategoryMapping>

export const ActorChange = record('ActorChange', "A change of a run's actors", {
  run: string,
  id: documented(string, 'The same again is the same change'),
  kind: documented(
    word(['add', 'remove', 'freeze', 'relabel']),
    'add: joins once its labels cover what the last selection saw; remove: leaves, and its labels no longer matter; freeze: keeps weights and theta, and is asked nothing any more; relabel: has labels of another version, once they cover what the last selection saw',
  ),
  actor: string,
  fromRound: documented(nullable(int), 'Not before this round; null: as soon as possible'),
  subcategories: documented(array(string), 'Of an added or relabelled actor, in order'),
  eta: documented(double, 'Of an added actor; 0: it is frozen from the beginning'),
  initialWeights: documented(
    array(double),
    'Of an added actor, by subcategory; of a relabelled one whose subcategories change likewise, for those that are new',
  ),
  initialTheta: documented(
    nullable(double),
    'Of an added actor; null: the mean of the thetas at that time. The opening of a round has a number',
  ),
  labelerVersion: documented(string, 'Of an added or relabelled actor: whose labels it uses'),
  labeler: documented(string, 'Of an added or relabelled actor: its labeler as winnow.yaml has it, as JSON'),
  labelerFolder: documented(string, "What paths in the labeler's settings are relative to"),
  recordedMs: documented(long, 'When somebody asked for it, milliseconds since the epoch'),
  fit: documented(
    nullable(nested(LabelerFit)),
    'Of a relabelled actor: what its labeler was fitted to, if winnow knows it',
  ),
  mapping: {
    ...nullable(nested(SubcategoryMapping)),
    doc: 'Of an actor that is relabelled with other subcategories; null: they stay the same',
    // Of changes recorded before this field existed.
    default: null,
  },
  by: { ...documented(string, 'Who, as the command was told; empty: nobody said'), default: '' },
  why: { ...documented(string, 'Empty: nobody said'), default: '' },
})
export type ActorChange = RecordValue<typeof ActorChange>

const SelectionRead = record('SelectionRead', 'How much of a selection was read', {
  round: int,
  read: documented(long, 'm: documents passed'),
})
export type SelectionRead = RecordValue<typeof SelectionRead>

/** Asks that a live run goes on as a shadow of it has. Key: its id. What has become of it is in the opening of a round. */
export const Promotion = record('Promotion', 'Asks that a shadow serves the trainer of the run that it follows', {
  run: string,
  id: documented(string, 'The same again is the same promotion'),
  shadow: documented(string, 'The shadow'),
  config: documented(string, 'The shadow as it was recorded, as JSON'),
  fromRound: documented(nullable(int), 'Not before this round; null: as soon as the shadow is level with the run'),
  recordedMs: documented(long, 'When somebody asked for it, milliseconds since the epoch'),
})
export type Promotion = RecordValue<typeof Promotion>

const PromotedActor = record('PromotedActor', 'Weights of an actor of a shadow, from which a run goes on', {
  actor: string,
  weights: array(double),
  rewards: array(nullable(double)),
  counts: array(long),
  everRewarded: documented(array(int), 'Subcategories, by index, that had a reward'),
})

const Promoted = record('Promoted', 'A shadow whose settings and weights a run goes on with', {
  id: documented(string, 'Of its promotion'),
  shadow: string,
  round: documented(int, 'The last round that the shadow had selected'),
  config: documented(
    string,
    'Its configuration in that round, as JSON: selection and labelers hold from this round on',
  ),
  actors: documented(array(nested(PromotedActor)), 'After that round, in the order of its configuration'),
  theta: documented(array(double), 'After that round, likewise'),
})
export type Promoted = RecordValue<typeof Promoted>

const SteeredRule = record('SteeredRule', 'A guard that somebody wants of a subcategory', {
  kind: documented(
    word(['floor', 'cap', 'pin', 'free']),
    'At least, at most or exactly this share of every selection; free: no guard of it any more',
  ),
  actor: string,
  subcategory: string,
  share: documented(double, 'Of the budget, at most six decimals; 0 where it is free'),
})

const SteeredBound = record('SteeredBound', 'How much somebody lets the loss on other text grow', {
  bound: documented(double, 'Nats per token; 0: however much'),
  from: documented(nullable(double), 'Growth from which on the natural mixture is drawn from; null: half of the bound'),
  run: documented(nullable(string), 'The run whose loss it is held against; null: none'),
  loss: documented(nullable(double), 'What it is held against otherwise; null: the lowest that the run has reported'),
  fall: documented(nullable(double), 'By how much the natural share may fall in a round; null: as before'),
})

/** How somebody wants the selections of a live run to be guarded. Key: its id. What has become of it is in the opening of a round. */
export const Steering = record('Steering', "An operator's hand on the selections of a run", {
  run: string,
  id: documented(string, 'The same again is the same'),
  rules: documented(array(nested(SteeredRule)), 'One after the other; the others that the run has stay'),
  repetitionsMost: documented(
    nullable(int),
    'Documents read this often are not selected again; 0: they may be, however often; null: as before',
  ),
  by: documented(string, 'Who, as the command was told'),
  why: string,
  fromRound: documented(nullable(int), 'Not before this round; null: the next one'),
  recordedMs: documented(long, 'When somebody asked for it, milliseconds since the epoch'),
  otherBound: {
    ...nullable(nested(SteeredBound)),
    doc: 'How much the loss on other text may grow; null: as before',
    // Of what was steered before this field existed.
    default: null,
  },
})
export type Steering = RecordValue<typeof Steering>

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

/** A record or row that was rejected, with everything needed to fix and redrive it. */
export const DeadLetter = record('DeadLetter', 'What was refused, why, and its bytes', {
  station: string,
  reason: documented(string, 'A stable code'),
  message: string,
  origin: documented(string, 'file:line or topic[partition]@offset'),
  topic: nullable(string),
  partition: nullable(partition),
  offset: nullable(offset),
  file: nullable(string),
  line: nullable(long),
  key: nullable(bytes),
  value: nullable(bytes),
})
export type DeadLetter = RecordValue<typeof DeadLetter>
