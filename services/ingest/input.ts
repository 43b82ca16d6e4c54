import { type Bytes, openBytes } from '../runtime/stores/bytes.ts'
import type { CompressedInput } from './compression/gzip.ts'

/** A source's bytes as they are on disk; its head is known before the rest is read. */
export interface Input extends CompressedInput {
  readonly head: Buffer
  /** `head` is all there is. */
  readonly whole: boolean
  /** All of it, `head` included. Can be read once. */
  readonly bytes: AsyncIterable<Buffer>
  /** Must be called if `bytes` are not read. */
  close(): Promise<void>
}

/** How much of a source is examined to detect its format. */
export const headBytes = 64 * 1024

/** How much of standard input is kept to be read again if it is damaged. */
const againBytesMax = 64 * 1024 * 1024

/** A file as it was found: by its path, or by its address in an object store. */
export interface FoundFile {
  readonly path: string
  readonly byteLength: number
  /** Of an object: what names its content. Other content under its address is refused. */
  readonly version?: string | undefined
}

/**
 * The first `byteLength` bytes of a file. No more, even if it grows meanwhile: its fingerprint covers just these. Chunks are large, because
 * each costs a turn of the event loop.
 */
export async function openFile({ path, byteLength, version }: FoundFile): Promise<Input> {
  const from = (start: number) => (start >= byteLength ? nothing() : streamOf(path, version, start, byteLength))
  return { ...(await peek(from(0), headBytes)), again: from }
}

async function* streamOf(
  path: string,
  version: string | undefined,
  start: number,
  end: number,
): AsyncGenerator<Buffer> {
  const bytes = await openBytes(path, version)
  try {
    yield* bytes.stream(start, end)
  } finally {
    await bytes.close()
  }
}

/** Runs `work` with a file, which is closed after it. */
export async function withBytes<T>({ path, version }: FoundFile, work: (bytes: Bytes) => Promise<T>): Promise<T> {
  const bytes = await openBytes(path, version)
  try {
    return await work(bytes)
  } finally {
    await bytes.close()
  }
}

async function* nothing(): AsyncGenerator<Buffer> {}

/** Standard input: its first bytes, and all of it again as long as it is short. */
export async function openStream(input: AsyncIterable<Buffer>): Promise<Input> {
  let kept: Buffer[] | null = []
  let keptBytes = 0
  async function* keeping() {
    for await (const chunk of input) {
      keptBytes += chunk.length
      if (keptBytes > againBytesMax) kept = null
      kept?.push(chunk)
      yield chunk
    }
  }
  async function* from(position: number, chunks: readonly Buffer[]) {
    let start = 0
    for (const chunk of chunks) {
      if (start + chunk.length > position) yield chunk.subarray(Math.max(position - start, 0))
      start += chunk.length
    }
  }
  return { ...(await peek(keeping(), headBytes)), again: (position) => kept && from(position, kept) }
}

/** Reads until `headBytes` are known or the input ends. */
async function peek(input: AsyncIterable<Buffer>, headBytes: number): Promise<Omit<Input, 'again'>> {
  const iterator = input[Symbol.asyncIterator]()
  const chunks: Buffer[] = []
  let [length, whole] = [0, false]
  while (length < headBytes && !whole) {
    const next = await iterator.next()
    if (next.done) whole = true
    else {
      chunks.push(next.value)
      length += next.value.length
    }
  }
  const head = Buffer.concat(chunks)
  const close = async () => void (await iterator.return?.())
  return { head, whole, bytes: resumed(head, iterator), close }
}

async function* resumed(head: Buffer, iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    if (head.length > 0) yield head
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value
  } finally {
    await iterator.return?.()
  }
}

/** The signal came while standard input delivered nothing. */
export class Stopped extends Error {}

/** Throws Stopped if the signal comes first: standard input may block for ever. */
export async function* untilAborted(input: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
  const iterator = input[Symbol.asyncIterator]()
  const aborted = new Promise<never>((_, reject) => {
    const stop = () => reject(new Stopped())
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  // The reader gets the error; nobody may be reading when it comes.
  aborted.catch(() => {})
  for (;;) {
    const next = await Promise.race([iterator.next(), aborted])
    if (next.done) return
    yield next.value
  }
}
