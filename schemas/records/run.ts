import { documented, double, int, long, nullable, string, word } from '../field.ts'
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
