import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import type { CheckpointRef } from '../../../topologies/stations/influence.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { openBytes } from '../../runtime/stores/bytes.ts'
import { prepareReading } from '../../runtime/stores/open-store.ts'
import { beside, nameOfPlace, shownPlace, storeOf } from '../../runtime/stores/place.ts'
import type { ModelDescription } from '../description.ts'
import { type FloatTensor, type ScannedFile, scanSafetensors, sizeOf } from '../safetensors.ts'
import { fitting, refuseStrangers } from './names.ts'
import { placeOfCheckpoint } from './place.ts'

/** Tensors of a checkpoint by the graph's parameter names, in memory shared by threads. Never written to. */
export type SharedTensors = ReadonlyMap<string, FloatTensor>

/** Memory for the tensors by the graph's parameter names, shared by threads; allocated as needed. */
export type Buffers = Map<string, Float32Array>

/** Which tensors: the weights, or their second moments in Adam, stored as `v.NAME`. */
export type TensorKind = 'weights' | 'second moments'

const indexSuffix = '.safetensors.index.json'

/** As transformers writes it next to the shards. Plain file names: an index must not lead out of its folder. */
const ShardIndex = z.object({ weight_map: z.record(z.string(), z.string().regex(/^[^/\\]+\.safetensors$/)) })

/**
 * Reads a checkpoint: a safetensors file, or an index (`model.safetensors.index.json`) and its shards. The digest tells whether it is
 * complete: that of the file, or of what `sha256sum` prints for the index and then the shards in order of their names, run in their folder.
 * The tensors' values are written into `buffers`. @throws WinnowError CHECKPOINT_INCOMPLETE, retriable, if a file is missing or the digest
 * differs: it may still be written or copied. BAD_DATA if the digest is right but the graphs do not fit. CONFIGURATION if the library of its object store is not installed.
 */
export async function readCheckpoint(
  { path: place, digest }: CheckpointRef,
  description: ModelDescription,
  kind: TensorKind,
  buffers: Buffers,
): Promise<SharedTensors> {
  const path = placeOfCheckpoint(place)
  // A library that is missing does not come while reading is retried.
  await prepareReading(path)
  const prefix = kind === 'weights' ? '' : 'v.'
  const wanted = new Map(description.parameters.map(({ name, shape }) => [prefix + name, { name, shape }]))
  // Only fitting tensors get memory, so that a wrong or damaged file takes no more than a right one.
  const bufferFor = (stored: string, shape: readonly number[]): Float32Array | undefined => {
    const parameter = wanted.get(stored)
    if (parameter === undefined || String(parameter.shape) !== String(shape)) return undefined
    const buffer = buffers.get(parameter.name) ?? new Float32Array(new SharedArrayBuffer(4 * sizeOf(shape)))
    buffers.set(parameter.name, buffer)
    return buffer
  }
  const index = nameOfPlace(path).endsWith(indexSuffix) ? await readIndex(path, digest) : undefined
  const files: (ScannedFile & { name: string; shapes: Map<string, readonly number[]> })[] = []
  for (const name of index?.shards ?? [nameOfPlace(path)])
    files.push(await scanPart(index === undefined ? path : besideIndex(path, name), path, bufferFor))
  const found = index === undefined ? files[0]!.digest : digestOfList([index, ...files])
  const damage = files.find((file) => file.damage !== undefined)?.damage
  if (found !== digest)
    throw incomplete(path, `it has digest ${found}, the request names ${digest}${damage ? `; ${damage.message}` : ''}`)
  if (damage !== undefined) throw damage
  const tensors = new Map(files.flatMap((file) => [...file.tensors]))
  const shapes = new Map(files.flatMap((file) => [...file.shapes]))
  refuseStrangers(path, shapes.keys(), description)
  return new Map(
    description.parameters.map(({ name, shape }) => [name, fitting(path, prefix + name, { tensors, shapes }, shape)]),
  )
}

/** Reads one file, and records the shapes of all its tensors. */
async function scanPart(
  path: string,
  checkpoint: string,
  bufferFor: (name: string, shape: readonly number[]) => Float32Array | undefined,
) {
  const shapes = new Map<string, readonly number[]>()
  const file = await scanSafetensors(path, ({ name, shape }) => {
    shapes.set(name, shape)
    return bufferFor(name, shape)
  }).catch((cause: unknown) => {
    throw incomplete(checkpoint, (cause as Error).message, cause)
  })
  return { ...file, name: nameOfPlace(path), shapes }
}

async function readIndex(path: string, digest: string) {
  const bytes = await allOf(path).catch((cause: unknown) => {
    throw incomplete(path, cause instanceof WinnowError ? cause.message : 'it cannot be opened', cause)
  })
  const parsed = ShardIndex.safeParse(jsonOf(bytes))
  // An index has no digest of its own that could tell a half-written one from a wrong one.
  if (!parsed.success) throw incomplete(path, `it is not an index of shards (the request names ${digest})`)
  const shards = [...new Set(Object.values(parsed.data.weight_map))].sort()
  return { name: nameOfPlace(path), digest: sha256(bytes), shards }
}

async function allOf(path: string): Promise<Buffer> {
  const file = await openBytes(path)
  try {
    return await file.at(0, file.byteLength)
  } finally {
    await file.close()
  }
}

const besideIndex = (path: string, name: string): string =>
  storeOf(path) === undefined ? join(dirname(path), name) : beside(path, name)

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex')

const digestOfList = (files: readonly { name: string; digest: string }[]): string =>
  sha256(files.map(({ name, digest }) => `${digest}  ${name}\n`).join(''))

function incomplete(path: string, reason: string, cause?: unknown): WinnowError {
  return new WinnowError('CHECKPOINT_INCOMPLETE', `The checkpoint ${shownPlace(path)} is not whole: ${reason}`, {
    hint: 'Reading is retried for a while, in case it is still being written; keep checkpoints until their round is closed.',
    cause,
  })
}
