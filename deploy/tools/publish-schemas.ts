/**
 * Publishes the current schemas of the records: each that differs from its last version becomes the next, with golden bytes. Refuses
 * everything (exit code 3) if a record cannot read what any published version wrote: topics outlive versions of winnow.
 * Run after changing schemas/records: node deploy/tools/publish-schemas.ts
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Type } from 'avsc'
import { allRecords, type RecordType } from '../../schemas/index.ts'
import { avroType, forAvsc } from '../../services/runtime/avro.ts'
import { toGoldenJson } from './golden-json.ts'
import {
  type Golden,
  goldenFile,
  type PublishedVersion,
  publishedFolder,
  publishedVersions,
  readGolden,
} from './published.ts'
import { samples } from './schema-samples.ts'

/** Why the current record cannot read what was published: a sentence for each such version. */
export function incompatibilities(
  record: Pick<RecordType, 'name' | 'avro'>,
  published: readonly PublishedVersion[],
): string[] {
  const type = avroType(record.avro)
  return published.flatMap((version) => {
    if (version.record !== record.name) return []
    try {
      type.createResolver(avroType(version.schema))
      return []
    } catch (error) {
      return [`${record.name} cannot read its version ${version.version}: ${(error as Error).message}`]
    }
  })
}

const goldenOf = (name: string, type: Type) =>
  (samples[name as keyof typeof samples] as object[]).map((value) => ({
    value: toGoldenJson(value),
    body: type.toBuffer(forAvsc(value)).toString('hex'),
  }))

function publish(): void {
  mkdirSync(publishedFolder, { recursive: true })
  const published = publishedVersions()
  const refusals = allRecords.flatMap((record) => incompatibilities(record, published))
  if (refusals.length > 0) {
    console.error(refusals.join('\n'))
    console.error('Give new fields a default and keep the names and types of old ones, or create a new record.')
    process.exitCode = 3
    return
  }
  const golden: Golden = existsSync(goldenFile) ? readGolden() : {}
  for (const record of allRecords) {
    const last = published.filter((version) => version.record === record.name).at(-1)
    if (JSON.stringify(last?.schema) === JSON.stringify(record.avro)) continue
    const name = `${record.name}.v${(last?.version ?? 0) + 1}`
    writeFileSync(join(publishedFolder, `${name}.avsc`), `${JSON.stringify(record.avro, null, 2)}\n`)
    golden[name] = goldenOf(record.name, avroType(record.avro))
    console.log(`published ${name}`)
  }
  writeFileSync(goldenFile, `${JSON.stringify(golden, null, 2)}\n`)
}

if (import.meta.main) publish()
