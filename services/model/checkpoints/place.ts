import { fileURLToPath } from 'node:url'
import { WinnowError } from '../../runtime/errors.ts'
import { storeOf } from '../../runtime/stores/place.ts'

/**
 * Where a checkpoint is that a trainer reports by path, as a URI with the scheme `file`, or by its address in an object store, which stays as it is.
 * @throws WinnowError BAD_DATA for other schemes, and for files of another host
 */
export function placeOfCheckpoint(place: string): string {
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(place)?.[1]
  if (scheme === undefined || storeOf(place) !== undefined) return place
  if (scheme.toLowerCase() !== 'file')
    throw refused(place, `workers read files and the object stores of docs/stores.md, and its scheme is ${scheme}`)
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
