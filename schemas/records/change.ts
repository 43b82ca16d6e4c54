import { array, documented, double, int, long, nullable, offset, partition, string, word } from '../field.ts'
import { nested, type RecordValue, record } from '../record.ts'

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

/** What somebody wants of a run's actors from some round on. Key: its id. What has become of it is in the opening of a round. */
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

export const Promoted = record('Promoted', 'A shadow whose settings and weights a run goes on with', {
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
