import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(import.meta.url)

/** Where a file of an installed package is; packages need not export their files for that. */
export function packageFile(name: string, file: string): string {
  const folder = (require.resolve.paths(name) ?? []).map((path) => join(path, name)).find((path) => existsSync(path))
  if (folder === undefined) throw new Error(`the package ${name} is not installed`)
  return join(folder, file)
}
