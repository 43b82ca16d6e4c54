import { z } from 'zod'

/** How `collaboration: joint` fits the weights of all actors together (SELECTION.md, "Joint weights"). */
export interface JointConfig {
  /** lambda: of n answers, a coefficient keeps about n / (n + lambda) of what they say. */
  ridge: number
  /** answers: each answer counts once; corpus: by the inverse of its expected number, so that answers stand for the corpus. */
  weighting: 'answers' | 'corpus'
  /** Left out: no residual. */
  cells?: JointCells | undefined
}

/** How far a cell may score otherwise than the sum of its actors' weights. */
export interface JointCells {
  /** k: of n answers, a cell's residual keeps n / (n + k). */
  shrinkage: number
  /** As an actor's, of Eq. 5. */
  eta: number
}

/** Of a cell's residual, in answers. */
export const shrinkageDefault = 20

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
    cells: z
      .strictObject({
        shrinkage: number
          .positive('must be above 0')
          .default(shrinkageDefault)
          .describe("Of n answers, a cell's residual keeps n / (n + shrinkage)"),
        eta: number.default(0.1).describe('Its learning rate, as of an actor'),
      })
      .optional()
      .describe('A residual for each cell, shrunk towards 0. Default: none'),
  })
  .optional()

/** Tables of residuals are recorded whole in every round. */
export const cellsMax = 10_000

/** undefined: the configuration has no residuals. */
export const jointCells = ({
  collaboration,
  joint,
}: {
  readonly collaboration: string
  readonly joint?: JointConfig | undefined
}): JointCells | undefined => (collaboration === 'joint' ? joint?.cells : undefined)

/** An actor, as far as cells are made of it. */
export interface CellActor {
  readonly subcategories: readonly string[]
  readonly frozen?: boolean | undefined
}

/** Cells of the actors that are not frozen. */
export const cellCount = (actors: readonly CellActor[]): number =>
  actors.reduce((size, { subcategories, frozen }) => (frozen === true ? size : size * subcategories.length), 1)
