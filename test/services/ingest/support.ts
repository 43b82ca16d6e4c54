import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { type IngestOptions, ingest } from '../../../services/ingest/ingest.ts'
import { noProgress } from '../../../services/ingest/progress.ts'
import { createLog } from '../../../services/runtime/log.ts'
import { codec, Killed, MemoryKafka } from './memory-kafka.ts'

/** A folder that is gone after the test, with the given files. */
export function folder(files: Record<string, string | Uint8Array> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'winnow-ingest-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), content)
  }
  return path
}

export const row = (text: string, meta: Record<string, unknown> = {}) => `${JSON.stringify({ text, ...meta })}\n`

/** Rows `row 0`, `row 1`, ... */
export const rows = (count: number) => Array.from({ length: count }, (_, index) => row(`row ${index}`)).join('')

export const run = (kafka: MemoryKafka, paths: string[], options: Partial<IngestOptions> = {}) =>
  ingest({
    paths,
    kafka: kafka.port,
    codec,
    log: createLog('test', 'silent'),
    clock: () => 0,
    progress: noProgress,
    ...options,
  })

/** Each transaction up to the `count`th, at which an ingest is killed before its commit or after. */
export const killsOf = (count: number) =>
  Array.from({ length: count }, (_, index) => index + 1).flatMap((transaction) => [
    { transaction, committed: false },
    { transaction, committed: true },
  ])

/** What an ingest that nothing disturbs writes. */
async function undisturbed(path: string, options: Partial<IngestOptions>): Promise<MemoryKafka> {
  const whole = new MemoryKafka()
  await run(whole, [path], options)
  return whole
}

function expectSame(kafka: MemoryKafka, whole: MemoryKafka): void {
  expect(kafka.documents).toEqual(whole.documents)
  expect(kafka.deadLetters).toEqual(whole.deadLetters)
  expect(kafka.sources).toEqual(whole.sources)
}

/** Ingests, is killed, ingests again, and expects what one undisturbed ingest writes, which it returns. */
export async function expectSameWhenKilled(
  path: string,
  kill: ReturnType<typeof killsOf>[number],
  options: Partial<IngestOptions>,
): Promise<MemoryKafka> {
  const whole = await undisturbed(path, options)
  const kafka = new MemoryKafka()
  kafka.kill = kill
  await expect(run(kafka, [path], options)).rejects.toThrow(Killed)
  kafka.kill = null
  await run(kafka, [path], options)
  expectSame(kafka, whole)
  return whole
}

/** Ingests, stopped by the signal at every transaction, until nothing is left, and expects what one undisturbed ingest writes. */
export async function expectSameWhenStopped(path: string, options: Partial<IngestOptions>): Promise<void> {
  const whole = await undisturbed(path, options)
  const kafka = new MemoryKafka()
  let starts = 0
  for (let stopped = true; stopped; starts++) {
    const stop = new AbortController()
    kafka.onTransaction = () => stop.abort()
    stopped = (await run(kafka, [path], { ...options, signal: stop.signal })).stopped
  }
  expect(starts).toBeGreaterThan(2)
  expectSame(kafka, whole)
}
