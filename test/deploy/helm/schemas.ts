import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import type { Manifest } from './rendered.ts'
import type { HelmTools } from './tools.ts'

/** Where the packages of custom resources have a group's kinds. */
const packageOf: Readonly<Record<string, string>> = {
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
}
type Verdict = (manifest: Manifest) => Promise<string[]>

const read = (file: string): object => JSON.parse(readFileSync(file, 'utf8')) as object

/** Says what is wrong with a manifest by the schemas of a version of Kubernetes, unknown fields included, or of the operators' resources. */
export function judgeFor(tools: HelmTools, version: string): Verdict {
  const folder = tools.schemas(version)
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false })
  ajv.addSchema(read(join(folder, '_definitions.json')))
  const known = new Map<string, ValidateFunction>()
  return async (manifest) => {
    const [group, versionOf] = manifest.apiVersion.includes('/')
      ? manifest.apiVersion.split('/')
      : ['', manifest.apiVersion]
    const custom = packageOf[group!]
    if (custom !== undefined) return await judgeCustom(join(tools.packages, custom, group!, versionOf!), manifest)
    const name = [manifest.kind.toLowerCase(), ...(group ? [group.split('.')[0]] : []), versionOf].join('-')
    const file = join(folder, `${name}.json`)
    if (!existsSync(file)) return [`Kubernetes ${version} has no ${manifest.kind} of ${manifest.apiVersion}`]
    const validate = known.get(name) ?? ajv.compile(read(file))
    known.set(name, validate)
    return validate(manifest)
      ? []
      : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`)
  }
}

async function judgeCustom(folder: string, manifest: Manifest): Promise<string[]> {
  const module = (await import(pathToFileURL(join(folder, `${manifest.kind}.js`)).href)) as Record<string, unknown>
  const Model = module[manifest.kind] as new (data: object) => { validate(): void }
  try {
    new Model(manifest).validate()
    return []
  } catch (error) {
    return [(error as Error).message]
  }
}
