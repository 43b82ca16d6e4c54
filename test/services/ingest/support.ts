import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type IngestOptions, ingest } from '../../../services/ingest/ingest.ts'
import { noProgress } from '../../../services/ingest/progress.ts'
import { createLog } from '../../../services/runtime/log.ts'
import { codec, type MemoryKafka } from './memory-kafka.ts'

/** A folder that is gone after the test, with the given files. */
export function folder(files: Record<string, string | Uint8Array> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'winnow-ingest-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content)
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
