import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { makeFolder } from '../runtime/make-folder.ts'

/** A checkpoint's metadata, all of it text: where training was. */
export const checkpointMetadata = z.object({
  run: z.string(),
  round: z.coerce.number().int(),
  document: z.coerce.number().int(),
  token: z.coerce.number().int(),
  documentsRead: z.coerce.number().int(),
})

const fileOf = /^step-(\d{8})\.safetensors$/

const runFolder = (checkpoints: string, run: string): string => join(checkpoints, run)

export const checkpointPath = (checkpoints: string, run: string, step: number): string =>
  join(runFolder(checkpoints, run), `step-${String(step).padStart(8, '0')}.safetensors`)

/** The checkpoint with the highest step, if there is one; files are written atomically. */
export async function latestCheckpoint(
  checkpoints: string,
  run: string,
): Promise<{ path: string; step: number } | undefined> {
  const folder = runFolder(checkpoints, run)
  makeFolder(folder)
  const steps = (await readdir(folder)).flatMap((name) => {
    const match = fileOf.exec(name)
    return match === null ? [] : [Number(match[1])]
  })
  if (steps.length === 0) return undefined
  const step = Math.max(...steps)
  return { path: checkpointPath(checkpoints, run, step), step }
}
