import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { WinnowError } from '../runtime/errors.ts'
import { makeFolder } from '../runtime/make-folder.ts'
import { cutOf } from './cut.ts'
import { digestOf } from './digest.ts'
import { type ArchiveManifest, archiveVersion, manifestFile, planFile, withRoot } from './format.ts'
import { Kept, KeptSchemas } from './kept.ts'
import { readManifest } from './manifest.ts'
import { type ExportPlan, readPlan, type TopicCut, writeJsonWhole } from './plan.ts'
import { PartitionWriter, segmentsIn } from './segments.ts'

/** Bytes of a file of an archive: what has to be written again after a kill, at most. */
export const segmentBytesDefault = 64 * 1024 * 1024

export interface ExportOptions {
  readonly runtime: Pick<Runtime, 'kafka' | 'codec'>
  readonly run: RunConfig
  readonly folder: string
  /** Whether texts of documents, and requests for rewards with theirs, are written too. */
  readonly texts?: boolean
  readonly segmentBytes?: number
  readonly signal?: AbortSignal | undefined
  /** By offsets, of all partitions together. */
  readonly onProgress?: (done: number, total: number) => void
}

/**
 * Writes what belongs to a run into files of a folder (docs/archives.md), topic by topic, holding a few megabytes at a time. After a kill the same call
 * goes on: what the archive will hold was decided when it was first called, and complete files stay. A complete archive is left as it is.
 * @throws WinnowError CONFIGURATION if the folder holds something else; INTERRUPTED by the signal
 */
export async function exportRun(options: ExportOptions): Promise<ArchiveManifest> {
  const { runtime, run, folder, texts = false } = options
  const wanted = { run: run.name, texts }
  if (existsSync(join(folder, manifestFile))) return assertSame(await readManifest(folder), wanted, folder)
  makeFolder(folder)
  const plan = assertSame(await planOf(options), wanted, folder)
  const schemas = new KeptSchemas(runtime.codec, plan.schemas)
  const total = plan.topics.flatMap(({ ends }) => ends).reduce((sum, end) => sum + end, 0)
  let before = 0
  for (const cut of plan.topics) {
    for (const [partition, end] of cut.ends.entries()) {
      const onProgress = (done: number) => options.onProgress?.(before + done, total)
      await exportPartition({ ...options, plan, schemas, onProgress }, cut, partition)
      before += end
    }
  }
  options.onProgress?.(total, total)
  return await seal(folder, { ...plan, schemas: schemas.all })
}

type Wanted = Pick<ExportPlan, 'run' | 'texts'>

function assertSame<Of extends Wanted>(found: Of, wanted: Wanted, folder: string): Of {
  if (found.run === wanted.run && found.texts === wanted.texts) return found
  const of = `run ${found.run} ${found.texts ? 'with' : 'without'} texts`
  throw new WinnowError('CONFIGURATION', `${folder} holds an archive of ${of}`, { hint: 'Choose another folder.' })
}

async function planOf({ runtime, run, folder, texts = false }: ExportOptions): Promise<ExportPlan> {
  const known = await readPlan(folder)
  if (known !== undefined) return known
  const plan = { run: run.name, texts, topics: await cutOf(runtime, run, texts), schemas: [] }
  await writeJsonWhole(join(folder, planFile), plan)
  return plan
}

interface PartitionOptions extends Omit<ExportOptions, 'onProgress'> {
  readonly plan: ExportPlan
  readonly schemas: KeptSchemas
  readonly onProgress: (done: number) => void
}

async function exportPartition(options: PartitionOptions, cut: TopicCut, partition: number): Promise<void> {
  const { runtime, folder, plan, schemas, segmentBytes = segmentBytesDefault, signal, onProgress } = options
  const { name, ends, keep } = cut
  const end = ends[partition]!
  const writer = new PartitionWriter(folder, name, partition, segmentBytes)
  const kept = new Kept(runtime.codec, keep)
  try {
    for await (const records of readPartition(runtime, cut, partition, writer.from)) {
      if (signal?.aborted === true)
        throw new WinnowError('INTERRUPTED', `stopped exporting into ${folder}`, {
          hint: 'The same command goes on where it was.',
        })
      for (const record of records) {
        if (record.offset >= end) break
        const archived = await kept.of(record)
        if (archived === undefined) continue
        // Before the record is in a file: an export that goes on after a kill does not read it again.
        if (await schemas.learn(archived.value))
          await writeJsonWhole(join(folder, planFile), { ...plan, schemas: schemas.all })
        await writer.add(archived)
      }
      onProgress(Math.min(end, records.at(-1)!.offset + 1))
      if (records.at(-1)!.offset + 1 >= end) break
    }
    await writer.close(end)
  } finally {
    await writer.abandon()
  }
}

/** One partition of a topic: others are skipped, as if they had been read to their end. */
function readPartition({ kafka }: Pick<Runtime, 'kafka'>, { name, ends }: TopicCut, partition: number, from: number) {
  if (from >= ends[partition]!) return []
  // More partitions may have been added than were planned.
  const others: number[] = new Array(partitionsMax).fill(Number.MAX_SAFE_INTEGER)
  return kafka.read(name, others.with(partition, from))
}

/** More than any topic has. */
const partitionsMax = 65_536

async function seal(folder: string, { run, texts, topics, schemas }: ExportPlan): Promise<ArchiveManifest> {
  const files: ArchiveManifest['files'] = []
  for (const { name, ends } of topics) {
    for (const partition of ends.keys())
      for (const { path, ...segment } of segmentsIn(folder, name, partition))
        files.push({ path, ...(await digestOf(join(folder, path))), ...segment })
  }
  const manifest = withRoot({
    ...{ format: 'winnow-archive', version: archiveVersion, winnow: packageJson.version },
    ...{ run, texts, topics: topics.map(({ name, ends }) => ({ name, ends })), schemas, files },
  })
  await writeJsonWhole(join(folder, manifestFile), manifest)
  rmSync(join(folder, planFile))
  return manifest
}
