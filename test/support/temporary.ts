import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** A folder for the tests of a file, removed after them. Called at the top of a file, not in a hook. */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `winnow-${name}-`))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
