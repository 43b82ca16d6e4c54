import { createReadStream } from 'node:fs'

/** A source's bytes as they are on disk, its first ones known before the rest is read. */
export interface Input {
  readonly head: Buffer
  /** All of it, `head` included. To be read once. */
  readonly bytes: AsyncIterable<Buffer>
}

/**
 * The first `byteLength` bytes of a file. No more, even if it grows meanwhile: its fingerprint covers just these.
 * The chunks are large, because each costs a turn of the event loop.
 */
export async function openFile(path: string, byteLength: number): Promise<Input> {
  if (byteLength === 0) return { head: Buffer.alloc(0), bytes: nothing() }
  return await peek(createReadStream(path, { end: byteLength - 1, highWaterMark: 1024 * 1024 }), 4)
}

async function* nothing(): AsyncGenerator<Buffer> {}

/** Reads until `headBytes` are known or the input ends. */
export async function peek(input: AsyncIterable<Buffer>, headBytes: number): Promise<Input> {
  const iterator = input[Symbol.asyncIterator]()
  let head = Buffer.alloc(0)
  while (head.length < headBytes) {
    const next = await iterator.next()
    if (next.done) break
    head = Buffer.concat([head, next.value])
  }
  return { head, bytes: resumed(head, iterator) }
}

async function* resumed(head: Buffer, iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    if (head.length > 0) yield head
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value
  } finally {
    await iterator.return?.()
  }
}

/** The signal came while standard input gave nothing. */
export class Stopped extends Error {}

/** Throws Stopped where the signal comes first: standard input may keep one waiting for ever. */
export async function* untilAborted(input: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
  const iterator = input[Symbol.asyncIterator]()
  const aborted = new Promise<never>((_, reject) => {
    const stop = () => reject(new Stopped())
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  // Whoever reads gets the error; nobody may be reading when it comes.
  aborted.catch(() => {})
  for (;;) {
    const next = await Promise.race([iterator.next(), aborted])
    if (next.done) return
    yield next.value
  }
}
