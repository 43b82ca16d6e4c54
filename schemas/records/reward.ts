import { array, documented, documentId, double, int, nullable, string } from '../field.ts'
import { type RecordValue, record } from '../record.ts'

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
