import type { Run } from '../../schemas/index.ts'
import { WinnowError } from '../errors.ts'

/** The version of docs/SELECTION.md that this code implements; a run records its version. */
export const selectionVersion = 2

/**
 * Checks that a recorded run can be continued or replayed: with another version every draw would differ.
 * @throws WinnowError CONFIGURATION if the run was made by another version
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
      hint: `Use a winnow that selects by version ${recorded}, or record the run again under another name.`,
    },
  )
}
