import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { makeFolder } from '../runtime/make-folder.ts'
import { storeFor } from '../runtime/stores/open-store.ts'
import { storeOf } from '../runtime/stores/place.ts'
import { retried } from '../runtime/stores/retried.ts'

/** A checkpoint's metadata, all of it text: where training was. */
export const checkpointMetadata = z.object({
  run: z.string(),
  round: z.coerce.number().int(),
  document: z.coerce.number().int(),
  token: z.coerce.number().int(),
  documentsRead: z.coerce.number().int(),
})

const fileOf = /^step-(\d{8})\.safetensors$/

/** Of a folder, or of an address in an object store as if it were one. */
export const runFolder = (checkpoints: string, run: string): string =>
  storeOf(checkpoints) === undefined ? join(checkpoints, run) : `${checkpoints.replace(/\/+$/, '')}/${run}`

export const checkpointPath = (checkpoints: string, run: string, step: number): string =>
  `${runFolder(checkpoints, run)}/step-${String(step).padStart(8, '0')}.safetensors`

/**
 * Has a checkpoint written where it belongs, whole or not at all: for an object store first into `TMPDIR`.
 * @param write makes a file atomically @param storing what becomes of a store that is away; default: it is asked again for half a minute
 */
export async function saveCheckpoint<T>(
  place: string,
  write: (path: string) => Promise<T>,
  storing: (put: () => Promise<void>) => Promise<void> = retried,
): Promise<T> {
  if (storeOf(place) === undefined) {
    makeFolder(dirname(place))
    return await write(place)
  }
  const folder = await mkdtemp(join(tmpdir(), 'winnow-checkpoint-'))
  try {
    const file = join(folder, 'checkpoint.safetensors')
    const written = await write(file)
    const store = await storeFor(place)
    await storing(() => store.put(place, file))
    return written
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The checkpoint with the highest step, if there is one; files and objects are written atomically. @throws WinnowError of the store */
export async function latestCheckpoint(
  checkpoints: string,
  run: string,
): Promise<{ path: string; step: number } | undefined> {
  const steps = (await namesIn(runFolder(checkpoints, run))).flatMap((name) => {
    const match = fileOf.exec(name)
    return match === null ? [] : [Number(match[1])]
  })
  if (steps.length === 0) return undefined
  const step = Math.max(...steps)
  return { path: checkpointPath(checkpoints, run, step), step }
}

async function namesIn(folder: string): Promise<string[]> {
  if (storeOf(folder) !== undefined) {
    const names: string[] = []
    for await (const { name } of (await storeFor(folder)).list(folder)) names.push(name)
    return names
  }
  return existsSync(folder) ? await readdir(folder) : []
}
