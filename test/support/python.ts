import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { preparedPython } from '../python/environment.ts'

const root = join(import.meta.dirname, '../..')

/** A Python that has the packages, or why there is none, for the name of a skipped test. */
export type PythonFound =
  | { readonly python: string; readonly missing: undefined }
  | { readonly python: undefined; readonly missing: string }

/**
 * The Python of WINNOW_PYTHON, of the virtual environment in `folder` (relative to the repository), or of that which `npm test` has made (test/python),
 * if it can import `modules`.
 */
export function pythonWith(folder: string, modules: readonly string[]): PythonFound {
  const own = join(root, folder, '.venv/bin/python')
  const python = process.env.WINNOW_PYTHON ?? (existsSync(own) ? own : (preparedPython(process.env) ?? own))
  if (!existsSync(python)) return lacking(`no ${python}; npm test makes one, or name it in WINNOW_PYTHON`)
  // Finding a module is quick; importing torch takes seconds.
  const code = `import importlib.util as u, sys; print(*[m for m in ${JSON.stringify(modules)} if u.find_spec(m) is None])`
  const { status, stdout, stderr } = spawnSync(python, ['-c', code], { encoding: 'utf8' })
  if (status !== 0) return lacking(`${python} does not run: ${stderr.trim()}`)
  if (stdout.trim() !== '') return lacking(`${python} lacks ${stdout.trim()}; see ${folder}/README.md`)
  return { python, missing: undefined }
}

const lacking = (missing: string): PythonFound => ({ python: undefined, missing })
