import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { WinnowError } from '../runtime/errors.ts'

const root = join(import.meta.dirname, '../..')
const packageFolder = 'services/trainer/python'
const venv = `${packageFolder}/.venv`
const modules = [
  'torch',
  'transformers',
  'confluent_kafka',
  'fastavro',
  'numpy',
  'safetensors',
  'tokenizers',
  'urllib3',
]

/** Prints what is missing, or nothing. Finding a module is quick; importing torch takes seconds. */
const look = `import importlib.util as u, sys
old = [] if sys.version_info >= (3, 11) else ['Python 3.11 (it is %d.%d)' % sys.version_info[:2]]
print(', '.join(old + [m for m in ${JSON.stringify(modules)} if u.find_spec(m) is None]))`

/**
 * A Python that trains by PyTorch: that of WINNOW_PYTHON, or else the first that has what it needs of: python3 on the PATH, the package's own virtual
 * environment, and `others`.
 * @throws WinnowError CONFIGURATION saying what to install
 */
export function findPython(env: NodeJS.ProcessEnv, others: readonly string[] = []): string {
  const { WINNOW_PYTHON: named } = env
  const candidates = named ? [named] : ['python3', join(root, venv, 'bin/python'), ...others]
  const found = candidates.map((python) => ({ python, lacks: lacking(python, env) }))
  const fit = found.find(({ lacks }) => lacks === '')
  if (fit !== undefined) return fit.python
  const { python, lacks } = found[0]!
  throw new WinnowError('CONFIGURATION', `${python} cannot run the trainer in Python: it lacks ${lacks}`, {
    hint: `Install it with: python3 -m venv ${venv} && ${venv}/bin/pip install './${packageFolder}[hf]' (in the checkout's folder; where there is no GPU, torch from https://download.pytorch.org/whl/cpu is smaller). Or name a Python that has all of it in WINNOW_PYTHON.`,
  })
}

function lacking(python: string, env: NodeJS.ProcessEnv): string {
  const { status, stdout } = spawnSync(python, ['-c', look], { encoding: 'utf8', env })
  return status === 0 ? stdout.trim() : 'a Python that runs'
}
