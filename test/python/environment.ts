import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cachesFolder } from '../../deploy/dev/caches.ts'

/** The server of object stores that tests read from, apart from the rest: few tests need it. */
const stores = join(import.meta.dirname, 'stores.txt')

/** The oldest Python that the packages run on. */
const oldest = [3, 11] as const
const names = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11']

const small = join(import.meta.dirname, 'requirements.txt')
const withTorch = [small, join(import.meta.dirname, 'torch.txt'), join(import.meta.dirname, 'frameworks.txt')]

export interface Interpreter {
  readonly python: string
  readonly version: string
}

type Env = NodeJS.ProcessEnv

/** A Python that is new enough, of those that PATH has. */
export function findPython(env: Env): Interpreter | undefined {
  for (const python of names) {
    const code = 'import sys, venv, ensurepip; print("%d.%d.%d" % sys.version_info[:3], sys.implementation.cache_tag)'
    const { status, stdout } = spawnSync(python, ['-c', code], { encoding: 'utf8', env })
    const [major, minor] = (stdout ?? '').split('.').map(Number)
    if (status === 0 && major === oldest[0] && minor! >= oldest[1]) return { python, version: stdout.trim() }
  }
  return undefined
}

/** Where the environment of these requirements is, whether it was made or not. */
function folderOf(requirements: readonly string[], { version }: Interpreter, env: Env): string {
  const hash = createHash('sha256').update(version)
  for (const file of requirements) hash.update(readFileSync(file))
  return join(cachesFolder(env), `python-${hash.digest('hex').slice(0, 16)}`)
}

const pythonIn = (folder: string): string => join(folder, 'bin/python')

/** Whether tests that need PyTorch are to be run, whatever has to be fetched: several GB where the index has it for CUDA alone. */
const asksForTorch = (env: Env): boolean => env.WINNOW_TEST_TORCH === 'yes'

/** The Python of an environment that was made before, the one with PyTorch if there is one. */
export function preparedPython(env: Env): string | undefined {
  const interpreter = findPython(env)
  if (interpreter === undefined) return undefined
  return [withTorch, [small]].map((files) => pythonIn(folderOf(files, interpreter, env))).find(existsSync)
}

/**
 * The Python of an environment with what the tests need, at the versions and hashes of the requirements; made in the cache if it is not there.
 * @throws Error saying what to do
 */
export function preparePython(interpreter: Interpreter, env: Env, progress: (line: string) => void): string {
  const requirements = asksForTorch(env) ? withTorch : [small]
  const prepared = asksForTorch(env) ? undefined : preparedPython(env)
  if (prepared !== undefined) return prepared
  return install(requirements, interpreter, env, progress)
}

/** The Python that has an S3 server, and what reads from it. @throws Error as preparePython */
export const prepareStoresPython = (interpreter: Interpreter, env: Env, progress: (line: string) => void): string =>
  install([stores], interpreter, env, progress)

function install(
  requirements: readonly string[],
  interpreter: Interpreter,
  env: Env,
  progress: (line: string) => void,
): string {
  const folder = folderOf(requirements, interpreter, env)
  if (existsSync(pythonIn(folder))) return pythonIn(folder)
  const began = Date.now()
  progress(`python: installing ${requirements === withTorch ? 'PyTorch and ' : ''}the pinned packages into ${folder}`)
  // Under another name until it is whole; two may make it at the same time.
  const making = `${folder}.${process.pid}`
  mkdirSync(cachesFolder(env), { recursive: true })
  try {
    run(interpreter.python, ['-m', 'venv', making], env)
    const files = requirements.flatMap((file) => ['-r', file])
    const pinned = ['--require-hashes', '--no-deps', '--only-binary', ':all:']
    run(pythonIn(making), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...pinned, ...files], env)
    if (!existsSync(folder)) renameSync(making, folder)
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
  progress(`python: installed in ${Math.round((Date.now() - began) / 1000)} s`)
  return pythonIn(folder)
}

function run(program: string, args: readonly string[], env: Env): void {
  const { status, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  if (status === 0) return
  const last = (error?.message ?? stderr).trim().split('\n').slice(-5).join('\n')
  throw new Error(
    `the Python packages of the tests cannot be installed:\n${last}\nCan the package index be reached (PIP_INDEX_URL names another)? ` +
      'WINNOW_PYTHON names a Python that has them, and WINNOW_TEST_PYTHON=no leaves these tests out.',
  )
}
