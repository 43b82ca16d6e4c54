import { fileURLToPath } from 'node:url'
import { WinnowError } from '../../runtime/errors.ts'

/**
 * The path of a checkpoint that a trainer reports by path or as a URI with the scheme `file`. @throws WinnowError BAD_DATA for other schemes, and for
 * files of another host
 */
export function localPath(place: string): string {
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(place)?.[1]
  if (scheme === undefined) return place
  if (scheme.toLowerCase() !== 'file') throw refused(place, `workers read files, and its scheme is ${scheme}`)
  try {
    return fileURLToPath(place)
  } catch (cause) {
    throw refused(place, (cause as Error).message, cause)
  }
}

const refused = (place: string, reason: string, cause?: unknown): WinnowError =>
  new WinnowError('BAD_DATA', `The checkpoint ${place} is no file of this machine: ${reason}`, {
    hint: 'Mount it, and let the trainer report where: map_path of winnow-trainer, or --map-path of the PyTorch worker.',
    cause,
  })
