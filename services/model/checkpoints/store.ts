import { LRUCache } from 'lru-cache'
import type { CheckpointRef } from '../../../topologies/stations/influence.ts'
import type { ModelDescription } from '../description.ts'
import { sizeOf } from '../safetensors.ts'
import { type Buffers, readCheckpoint, type SharedTensors, type TensorKind } from './read.ts'

interface Kept {
  readonly buffers: Buffers
  readonly tensors: Promise<SharedTensors>
  /** Calls that use it or wait for it. */
  users: number
  /** Evicted: its memory is reused once nobody uses it. */
  dropped: boolean
}

/**
 * An LRU cache of checkpoints, one copy shared by all worker threads of a model. They are read in the background, in pieces, while the threads
 * compute with those already there. Memory is reused rather than left to the garbage collector: each thread has its own, and none of them
 * knows how much a shared buffer holds.
 */
export class CheckpointStore {
  readonly #description: ModelDescription
  readonly #kept: LRUCache<string, Kept>
  readonly #free: Buffers[] = []

  /** Keeps at most `bytesMax`, besides what is in use; always the most recently used checkpoint. */
  constructor(description: ModelDescription, bytesMax: number) {
    this.#description = description
    // All checkpoints of a model are the same size.
    const bytesEach = 4 * description.parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
    this.#kept = new LRUCache({
      max: Math.max(1, Math.floor(bytesMax / bytesEach)),
      dispose: (kept) => {
        kept.dropped = true
        this.#release(kept)
      },
    })
  }

  /**
   * Runs `work` with the tensors of a checkpoint, which stay valid only until it ends. @throws WinnowError CHECKPOINT_INCOMPLETE, BAD_DATA;
   * see readCheckpoint. After a failure it is read again the next time.
   */
  async use<T>(checkpoint: CheckpointRef, kind: TensorKind, work: (tensors: SharedTensors) => Promise<T>): Promise<T> {
    const key = `${kind} of ${checkpoint.digest}`
    const kept = this.#kept.get(key) ?? this.#read(checkpoint, kind, key)
    kept.users++
    try {
      return await work(await kept.tensors)
    } finally {
      kept.users--
      this.#release(kept)
    }
  }

  #read(checkpoint: CheckpointRef, kind: TensorKind, key: string): Kept {
    // Evict first, so that the memory can be reused for the new one.
    while (this.#kept.size >= this.#kept.max) this.#kept.pop()
    const buffers = this.#free.pop() ?? new Map()
    const tensors = readCheckpoint(checkpoint, this.#description, kind, buffers)
    const kept: Kept = { buffers, tensors, users: 0, dropped: false }
    this.#kept.set(key, kept)
    tensors.catch(() => this.#kept.peek(key) === kept && this.#kept.delete(key))
    return kept
  }

  #release(kept: Kept): void {
    if (kept.dropped && kept.users === 0) this.#free.push(kept.buffers)
  }
}
