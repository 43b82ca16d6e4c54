import type { Run } from '../../schemas/index.ts'
import { WinnowError } from '../errors.ts'

/** The version of docs/SELECTION.md that this code computes; a run records the one that it was made by. */
export const selectionVersion = 2

/**
 * That a recorded run can be computed on: by another version's rule every draw would be another one.
 * @throws WinnowError CONFIGURATION where the run was made by another version
 */
export function checkSelectionVersion({
  run,
  selectionVersion: recorded,
}: Pick<Run, 'run' | 'selectionVersion'>): void {
  if (recorded === selectionVersion) return
  throw new WinnowError(
    'CONFIGURATION',
    `run ${run} selects by version ${recorded} of SELECTION.md, this winnow by version ${selectionVersion}`,
    {
      hint: `Use a winnow that selects by version ${recorded} for it, or record the run again under another name.`,
    },
  )
}
