import type { Manifest } from '../../schemas/index.ts'
import { WinnowError } from '../runtime/errors.ts'

/** The manifest of a round, or the last one. @throws WinnowError CONFIGURATION if the run has not selected it */
export function manifestOf(manifests: readonly Manifest[], run: string, round: number | undefined): Manifest {
  const manifest = round === undefined ? manifests.at(-1) : manifests.find((one) => one.round === round)
  if (manifest !== undefined) return manifest
  const what = round === undefined ? 'anything' : `round ${round}`
  throw new WinnowError('CONFIGURATION', `run ${run} has not selected ${what} yet`, {
    hint: `Rounds: ${manifests.map((one) => one.round).join(', ') || 'none'}.`,
  })
}
