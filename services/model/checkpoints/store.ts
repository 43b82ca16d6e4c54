import type { ModelDescription } from '../description.ts'
import { Recent } from '../recent.ts'
import { sizeOf } from '../safetensors.ts'
import type { Checkpoint } from '../worker/operations.ts'
import { readCheckpoint, type SharedTensors, type TensorKind } from './read.ts'

/**
 * Checkpoints in memory, those used last: one copy, which all worker threads of a model share. They are read in the background,
 * piece by piece, while the threads compute at those that are there.
 */
export class CheckpointStore {
  readonly #description: ModelDescription
  readonly #kept: Recent<SharedTensors>
  /** All checkpoints of a model are of one size. */
  readonly #bytesEach: number
  readonly #reading = new Map<string, Promise<SharedTensors>>()

  /** Keeps at most `bytesMax`, beside what is in use. */
  constructor(description: ModelDescription, bytesMax: number) {
    this.#description = description
    const bytesEach = 4 * description.parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
    this.#bytesEach = bytesEach
    this.#kept = new Recent(bytesMax, () => bytesEach)
  }

  /** @throws WinnowError CHECKPOINT_INCOMPLETE, BAD_DATA; see readCheckpoint. What failed is read anew the next time. */
  async get(checkpoint: Checkpoint, kind: TensorKind = 'weights'): Promise<SharedTensors> {
    const key = `${kind} of ${checkpoint.digest}`
    const kept = this.#kept.get(key)
    if (kept !== undefined) return kept
    const reading = this.#reading.get(key) ?? this.#read(checkpoint, kind, key)
    this.#reading.set(key, reading)
    return await reading
  }

  async #read(checkpoint: Checkpoint, kind: TensorKind, key: string): Promise<SharedTensors> {
    // First, because what is read takes the same memory again.
    this.#kept.makeRoom(this.#bytesEach)
    try {
      const tensors = await readCheckpoint(checkpoint, this.#description, kind)
      this.#kept.set(key, tensors)
      return tensors
    } finally {
      this.#reading.delete(key)
    }
  }
}
