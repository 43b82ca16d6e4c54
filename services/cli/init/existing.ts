import { existsSync } from 'node:fs'
import { WinnowError } from '../../runtime/errors.ts'

/** What is written for people to edit is not overwritten unasked. @throws WinnowError CONFIGURATION */
export function refuseExisting(file: string, force = false): void {
  if (force || !existsSync(file)) return
  throw new WinnowError('CONFIGURATION', `${file} already exists`, {
    hint: 'Replace it with --force, or name another with --out.',
  })
}
