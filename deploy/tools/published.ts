import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const publishedFolder = join(import.meta.dirname, '../../schemas/published')
export const goldenFile = join(publishedFolder, 'golden.json')

/** A released version of a record's schema: someone's topics may contain it, so it never changes. */
export interface PublishedVersion {
  readonly record: string
  readonly version: number
  readonly schema: unknown
}

/** A value and its Avro body, as written by the version in the entry's key, `Record.vN`. */
export interface GoldenSample {
  readonly value: unknown
  /** Hex; without the framing, because ids differ between registries. */
  readonly body: string
}

export type Golden = Record<string, GoldenSample[]>

/** All versions of all records, oldest first. */
export function publishedVersions(): PublishedVersion[] {
  return readdirSync(publishedFolder)
    .flatMap((file) => {
      const [, record, version] = /^(\w+)\.v(\d+)\.avsc$/.exec(file) ?? []
      if (record === undefined) return []
      return [
        { record, version: Number(version), schema: JSON.parse(readFileSync(join(publishedFolder, file), 'utf8')) },
      ]
    })
    .sort((a, b) => a.version - b.version)
}

export const readGolden = (): Golden => JSON.parse(readFileSync(goldenFile, 'utf8'))
