import { parentPort, workerData } from 'node:worker_threads'
import { WinnowError } from '../../runtime/errors.ts'
import { type FailureParts, partsOf } from '../../runtime/thread-protocol.ts'
import { DamagedFile } from '../compression/damaged-file.ts'
import type { LineLimits } from '../lines.ts'
import { type ParquetLimits, type ParquetSource, parquetReader } from './read.ts'

export interface WorkerData {
  readonly source: ParquetSource
  readonly limits: ParquetLimits & LineLimits
}

/** The reply to each message, until `chunk` is null or there is a failure. */
export interface Answer {
  /** `bytes` holds the lines one after the other. */
  readonly chunk: {
    readonly lines: readonly { row: number; length: number; byteLength: number; tooLong: boolean }[]
    readonly bytes: Uint8Array
  } | null
  readonly rows: number
  readonly packedBytes: number
  readonly failure?: {
    readonly damaged: DamagedFile['reason'] | null
    readonly error: Error
    /** Of an object store. */
    readonly parts: FailureParts | null
  }
}

const { source, limits } = workerData as WorkerData
let packedBytes = 0
const reader = parquetReader(source, limits, {
  readCompressed: (bytes) => {
    packedBytes += bytes
  },
})
const chunks = reader.chunks()

async function next(): Promise<Answer> {
  try {
    const { done, value } = await chunks.next()
    if (done) return { chunk: null, rows: reader.rows, packedBytes }
    const lines = value.lines.map(({ row, bytes, byteLength, tooLong }) => ({
      row,
      length: bytes.length,
      byteLength,
      tooLong,
    }))
    const bytes = Buffer.concat(value.lines.map((line) => line.bytes))
    return { chunk: { lines, bytes }, rows: reader.rows, packedBytes }
  } catch (error) {
    const damaged = error instanceof DamagedFile ? error.reason : null
    const parts = error instanceof WinnowError ? partsOf(error) : null
    return { chunk: null, rows: reader.rows, packedBytes, failure: { damaged, error: error as Error, parts } }
  }
}

parentPort!.on('message', async () => {
  const answer = await next()
  packedBytes = 0
  parentPort!.postMessage(answer)
})
