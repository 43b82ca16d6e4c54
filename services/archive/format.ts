import { z } from 'zod'
import { leafHash, TreeTop } from '../../topologies/exposure/merkle.ts'

/** Of the layout below; a reader refuses a later one. */
export const archiveVersion = 1

export const manifestFile = 'manifest.json'
/** What an export that is not finished is going to write; the export that goes on reads it, and removes it at its end. */
export const planFile = 'export.json'
export const topicsFolder = 'topics'

const natural = z.int().nonnegative()
const digest = z.string().regex(/^[0-9a-f]{64}$/)

const archivedFile = z.strictObject({
  path: z
    .string()
    .regex(/^topics\/[\w.-]+\/\d+\/\d{16}-\d{16}\.avro$/)
    .describe('Below the archive'),
  bytes: natural,
  topic: z.string(),
  partition: natural,
  from: natural.describe('It has the records of this offset and later, as far as the archive keeps them'),
  to: natural.describe('and before this one'),
  digest: digest.describe('Top of the tree of RFC 9162 over its bytes, 1 MiB a leaf'),
})
/** A file of an archive: an Avro container with records of one partition. */
export type ArchivedFile = z.infer<typeof archivedFile>

const archivedTopic = z.strictObject({
  name: z.string(),
  ends: z.array(natural).describe('By partition: the offset after the last record that was exported or left out'),
})

export const manifestSchema = z.strictObject({
  format: z.literal('winnow-archive'),
  version: z.literal(archiveVersion),
  winnow: z.string().describe('The version that wrote it'),
  run: z.string(),
  texts: z.boolean().describe('Whether texts of documents and requests for rewards are in it'),
  topics: z.array(archivedTopic),
  schemas: z.array(z.strictObject({ id: natural, schema: z.string() })).describe('Of the values, by the id in them'),
  files: z.array(archivedFile),
  root: digest,
})
/** What an archive holds (docs/archives.md). */
export type ArchiveManifest = z.infer<typeof manifestSchema>

/**
 * The root of an archive: of the tree whose first leaf is the manifest without `files` and `root`, and whose others are the files, each as JSON without
 * spaces, keys in the order of `manifestSchema`.
 */
export function rootOfArchive(manifest: Omit<ArchiveManifest, 'root'> & { root?: string }): string {
  const { root: _, files, ...head } = manifestSchema.parse({ root: ''.padEnd(64, '0'), ...manifest })
  const tree = new TreeTop()
  for (const leaf of [head, ...files]) tree.add(leafHash(Buffer.from(JSON.stringify(leaf))))
  return tree.top.toString('hex')
}

/** A manifest as it is written. */
export function withRoot(manifest: Omit<ArchiveManifest, 'root'>): ArchiveManifest {
  return manifestSchema.parse({ ...manifest, root: rootOfArchive(manifest) })
}

/** Digits enough for any offset, so that names sort as offsets do. */
const inName = (offset: number): string => String(offset).padStart(16, '0')

export const folderOf = (topic: string, partition: number): string => `${topicsFolder}/${topic}/${partition}`

export const segmentName = (from: number, to: number): string => `${inName(from)}-${inName(to)}.avro`

/** The range of a segment, by its name; undefined: it is none. */
export function rangeOf(name: string): { from: number; to: number } | undefined {
  const [, from, to] = /^(\d{16})-(\d{16})\.avro$/.exec(name) ?? []
  return from === undefined ? undefined : { from: Number(from), to: Number(to) }
}
