import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { WinnowError } from '../runtime/errors.ts'
import { type FloatTensor, parseSafetensors } from './safetensors.ts'
import type { Checkpoint } from './worker/operations.ts'

const indexSuffix = '.safetensors.index.json'

/** As transformers writes it beside the shards. File names only: an index must not lead out of its folder. */
const ShardIndex = z.object({ weight_map: z.record(z.string(), z.string().regex(/^[^/\\]+\.safetensors$/)) })

interface CheckpointFile {
  path: string
  bytes: Buffer
}

/**
 * The tensors of a checkpoint: a safetensors file, or an index (`model.safetensors.index.json`) and its shards. The digest decides
 * whether it is whole: that of the file, or of what `sha256sum` prints for the index and then the shards in the order of their names,
 * run in their folder.
 * @throws WinnowError CHECKPOINT_INCOMPLETE, retriable, where a file is missing or the digest is another one: it may still be written
 * or copied. BAD_DATA where it is what the digest says and cannot be used all the same.
 */
export async function readCheckpoint({ path, digest }: Checkpoint): Promise<Map<string, FloatTensor>> {
  const file = await read(path, path)
  const shards = path.endsWith(indexSuffix) ? await readShards(file, digest) : []
  const found = shards.length === 0 ? sha256(file.bytes) : digestOfList([file, ...shards])
  const parts = shards.length === 0 ? [file] : shards
  if (found !== digest)
    throw incomplete(path, `it has digest ${found}, the request names ${digest}${firstDamage(parts) ?? ''}`)
  const tensors = new Map<string, FloatTensor>()
  for (const part of parts)
    for (const [name, tensor] of parseSafetensors(part.path, part.bytes).tensors) tensors.set(name, tensor)
  return tensors
}

async function readShards(index: CheckpointFile, digest: string): Promise<CheckpointFile[]> {
  const parsed = ShardIndex.safeParse(jsonOf(index.bytes))
  // An index has no digest of its own to tell a half-written one from a wrong one.
  if (!parsed.success) throw incomplete(index.path, `it is no index of shards (the request names ${digest})`)
  const names = [...new Set(Object.values(parsed.data.weight_map))].sort()
  const files: CheckpointFile[] = []
  for (const name of names) files.push(await read(join(dirname(index.path), name), index.path))
  return files
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

async function read(path: string, checkpoint: string): Promise<CheckpointFile> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw incomplete(checkpoint, `${path} cannot be opened`, cause)
  })
  return { path, bytes }
}

const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex')

function digestOfList(files: readonly CheckpointFile[]): string {
  const nameOf = (path: string) => path.slice(dirname(path).length + 1)
  return sha256(files.map(({ path, bytes }) => `${sha256(bytes)}  ${nameOf(path)}\n`).join(''))
}

/** What is wrong with the first damaged file, for the error's reader; undefined where all look whole. */
function firstDamage(files: readonly CheckpointFile[]): string | undefined {
  for (const { path, bytes } of files) {
    try {
      parseSafetensors(path, bytes)
    } catch (error) {
      return `; ${(error as Error).message}`
    }
  }
  return undefined
}

function incomplete(path: string, reason: string, cause?: unknown): WinnowError {
  return new WinnowError('CHECKPOINT_INCOMPLETE', `The checkpoint ${path} is not whole: ${reason}`, {
    hint: 'It is read again for a while, in case it is still being written; keep checkpoints until their round is closed.',
    cause,
  })
}
