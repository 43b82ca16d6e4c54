import { documented, double, int, long, nullable, string, word } from '../field.ts'
import { type RecordValue, record } from '../record.ts'

export const workPurposes = [
  'annotation',
  'labels',
  'proxies',
  'fits',
  'rewards',
  'probes',
  'reference',
  'training',
  'evaluation',
] as const

/** A piece of computation. Compacted by its identity: a repeat overwrites itself, so that it is booked once. */
export const Work = record('Work', 'A piece of computation, for the ledger', {
  run: documented(nullable(string), 'For whom; null: for all runs that use what came of it'),
  purpose: word(workPurposes),
  subject: documented(string, 'What of it, for example actor and labeler version, or the estimator of rewards'),
  model: string,
  device: string,
  parameters: documented(long, 'Those that multiply: matrices without embedding tables, the output layer included'),
  parametersAll: documented(long, 'All of them, by which Table 6 of the paper counts'),
  documents: documented(long, 'Documents, samples or sequences; 0: not counted'),
  tokens: documented(long, 'Tokens that the model read'),
  factor: documented(double, 'FLOPs per parameter and token: 2 forward, 6 forward and backward'),
  flops: documented(
    double,
    'factor * parameters * tokens, and what has another form: projections, passes over the reference',
  ),
  seconds: documented(double, 'How long somebody worked on it'),
  stream: documented(
    string,
    'What it went through: a topic, the steps of a training, a checkpoint; or how it was booked',
  ),
  partition: int,
  first: documented(long, 'It covers the records, or steps, of the stream from this one on'),
  next: documented(
    long,
    'to before this one. Pieces are aligned: next - first is a power of two that divides first, so that two of one stream are the same, apart, or one inside the other',
  ),
})
export type Work = RecordValue<typeof Work>
export type WorkPurpose = Work['purpose']
