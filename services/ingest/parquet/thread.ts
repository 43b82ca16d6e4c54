import { Worker } from 'node:worker_threads'
import { errorOf } from '../../runtime/thread-protocol.ts'
import { DamagedFile } from '../compression/damaged-file.ts'
import { Stopped } from '../input.ts'
import type { LineLimits } from '../lines.ts'
import type { IngestProgress } from '../progress.ts'
import type { RowReader } from '../row-reader.ts'
import type { ParquetLimits, ParquetSource } from './read.ts'
import type { Answer } from './worker.ts'

export interface ThreadOptions {
  readonly limits: ParquetLimits & LineLimits
  readonly progress: Pick<IngestProgress, 'readCompressed'>
  readonly signal?: AbortSignal
}

/** How often the process's memory is checked. A thread fills about a gigabyte in that time. */
const memoryEveryMs = 100

/**
 * Reads a Parquet file's rows in a thread of its own. Unpacking a row group takes seconds without a pause, and the effect of a damaged page on
 * the decoder is unpredictable: one wrong length can keep it busy for hours or fill the heap. A thread can be terminated.
 */
export function parquetThread(source: ParquetSource, { limits, progress, signal }: ThreadOptions): RowReader {
  const reader = { unit: 'row' as const, rows: 0, rest: () => Buffer.alloc(0), chunks }

  async function* chunks() {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: { source, limits },
      // What counts towards V8's heap: lists, objects and short strings. Long texts are outside it.
      resourceLimits: { maxOldGenerationSizeMb: Math.ceil(limits.rowGroupMemoryMax / 2 ** 20) },
    })
    const ask = () => {
      const answer = ofNext(worker, limits, signal)
      // The next reader gets the error; without this line the process would end before.
      answer.catch(() => {})
      return answer
    }
    try {
      for (let answer = ask(); ; ) {
        const { chunk, rows, packedBytes, failure } = await answer
        reader.rows = rows
        progress.readCompressed(packedBytes)
        if (failure?.damaged) throw new DamagedFile(failure.damaged, failure.error.message, failure.error)
        if (failure?.parts) throw errorOf(failure.parts)
        if (failure !== undefined) throw failure.error
        if (chunk === null) return
        answer = ask()
        yield linesOf(chunk)
      }
    } finally {
      await worker.terminate()
    }
  }

  return reader
}

function linesOf({ lines, bytes }: NonNullable<Answer['chunk']>) {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let start = 0
  return {
    byteLength: bytes.byteLength,
    lines: lines.map(({ length, ...line }) => {
      start += length
      return { ...line, bytes: all.subarray(start - length, start) }
    }),
  }
}

/** Requests the next rows. @throws Stopped, or DamagedFile if the thread runs out of time or memory */
function ofNext(worker: Worker, limits: ParquetLimits, signal: AbortSignal | undefined): Promise<Answer> {
  const { rowGroupMsMax: msMax } = limits
  // Of the whole process: no other number includes what a thread holds outside V8's heap.
  const memoryMax = process.memoryUsage.rss() + limits.rowGroupMemoryMax
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const damaged = (message: string, cause?: unknown) => reject(new DamagedFile('corrupt-file', message, cause))
  const full = (cause?: unknown) => damaged('a row group takes more memory than it may', cause)
  const weigh = () => {
    if (process.memoryUsage.rss() > memoryMax) full()
  }
  const late = setTimeout(() => damaged(`a row group is not unpacked after ${msMax / 1000} s`), msMax)
  const scale = setInterval(weigh, memoryEveryMs)
  const answered = (answer: Answer) => {
    weigh()
    resolve(answer)
  }
  const fail = (error: NodeJS.ErrnoException) =>
    error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? full(error) : reject(error)
  const ended = () => reject(new Error('the thread that reads Parquet ended'))
  const stop = () => reject(new Stopped())
  worker.once('message', answered).once('error', fail).once('exit', ended)
  signal?.addEventListener('abort', stop, { once: true })
  worker.postMessage(null)
  return promise.finally(() => {
    clearTimeout(late)
    clearInterval(scale)
    worker.off('message', answered).off('error', fail).off('exit', ended)
    signal?.removeEventListener('abort', stop)
  })
}
