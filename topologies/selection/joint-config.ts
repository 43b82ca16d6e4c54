import { z } from 'zod'

/** How `collaboration: joint` fits the weights of all actors together (SELECTION.md, "Joint weights"). */
export interface JointConfig {
  /** lambda: of n answers, a coefficient keeps about n / (n + lambda) of what they say. */
  ridge: number
  /** answers: each answer counts once; corpus: by the inverse of its expected number, so that answers stand for the corpus. */
  weighting: 'answers' | 'corpus'
}

export const jointDefaults: JointConfig = { ridge: 10, weighting: 'answers' }

const number = z.number('must be a finite number')

export const jointSchema = z
  .strictObject({
    ridge: number
      .positive('must be above 0')
      .default(jointDefaults.ridge)
      .describe('Of n answers, a coefficient keeps about n / (n + ridge) of what they say'),
    weighting: z
      .enum(['answers', 'corpus'])
      .default(jointDefaults.weighting)
      .describe(
        'answers: each answer counts once; corpus: by the inverse of its sampling probability, so that answers stand for the corpus',
      ),
  })
  .optional()
