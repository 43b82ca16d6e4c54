import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { findPython } from '../../services/trainer/find-python.ts'
import { cachesFolder } from '../dev/caches.ts'

/**
 * A Python that the PyTorch trainer runs on (`findPython`); those that `npm test` has made come last.
 * @throws WinnowError CONFIGURATION saying what to install
 */
export const trainerPython = (env: NodeJS.ProcessEnv): string => findPython(env, ofTests(env))

function ofTests(env: NodeJS.ProcessEnv): string[] {
  const caches = cachesFolder(env)
  if (!existsSync(caches)) return []
  const made = readdirSync(caches).filter((name) => /^python-[0-9a-f]{16}$/.test(name))
  return made.sort().map((name) => join(caches, name, 'bin/python'))
}
