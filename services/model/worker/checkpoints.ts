import { readCheckpoint } from '../checkpoint.ts'
import type { ModelDescription } from '../description.ts'
import { Recent } from '../recent.ts'
import { sizeOf } from '../safetensors.ts'
import type { Checkpoint } from './operations.ts'
import { type Feeds, tensorsOf } from './sessions.ts'
import { fitting } from './training.ts'

/** Weights of checkpoints, those used last kept in memory. */
export class Checkpoints {
  readonly #description: ModelDescription
  readonly #weights: Recent<Feeds>
  /** All checkpoints of a model are of one size. */
  readonly #bytesEach: number

  constructor(description: ModelDescription, bytesMax: number) {
    this.#description = description
    const bytesEach = 4 * description.parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
    this.#bytesEach = bytesEach
    this.#weights = new Recent(bytesMax, () => bytesEach)
  }

  /** The weights of a checkpoint, its moments left out. @throws WinnowError CHECKPOINT_INCOMPLETE, BAD_DATA */
  async weightsOf(checkpoint: Checkpoint): Promise<Feeds> {
    const kept = this.#weights.get(checkpoint.digest)
    if (kept !== undefined) return kept
    // Before the file is read, which takes the same memory again.
    this.#weights.makeRoom(this.#bytesEach)
    const { path } = checkpoint
    const tensors = await readCheckpoint(checkpoint)
    const weights = tensorsOf(
      this.#description.parameters.map(({ name, shape }) => [name, fitting(path, name, tensors, shape)]),
    )
    this.#weights.set(checkpoint.digest, weights)
    return weights
  }
}
