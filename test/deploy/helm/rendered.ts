import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'

export const chart = fileURLToPath(new URL('../../../deploy/helm/winnow', import.meta.url))
export const valuesFile = (name: string): string => `${chart}/../values/${name}.yaml`

export interface Container {
  readonly image: string
  readonly args: string[]
  readonly env?: { name: string; value?: string; valueFrom?: object }[]
  readonly ports: { name: string; containerPort: number }[]
  readonly livenessProbe: { httpGet: { path: string; port: string } }
  readonly readinessProbe: { httpGet: { path: string; port: string } }
  readonly securityContext: object
  readonly volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[]
}
export interface PodTemplate {
  readonly metadata: { labels: Record<string, string>; annotations: Record<string, string> }
  readonly spec: {
    readonly containers: Container[]
    readonly volumes: {
      name: string
      configMap?: { name: string }
      projected?: object
      persistentVolumeClaim?: { readOnly: boolean }
      emptyDir?: { sizeLimit: string }
    }[]
    readonly securityContext: object
    readonly [field: string]: unknown
  }
}
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { name: string; labels: Record<string, string> }
  readonly spec: {
    readonly template: PodTemplate
    readonly replicas?: number
    readonly selector: { matchLabels: Record<string, string> }
    readonly strategy?: { type: string }
    readonly [field: string]: unknown
  }
  readonly data?: { 'winnow.yaml': string }
}

/** What `helm template` makes of files of values and of `--set` arguments. @throws Error with what Helm says */
export function rendered(helm: string, files: readonly string[], set: readonly string[] = []): string {
  const values = [
    ...files.flatMap((name) => ['--values', valuesFile(name)]),
    ...set.flatMap((one) => ['--set-json', one]),
  ]
  return execFileSync(helm, ['template', 'winnow', chart, '--namespace', 'pretraining', ...values], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

export const manifestsOf = (text: string): Manifest[] =>
  parseAllDocuments(text).flatMap((document) => {
    const manifest = document.toJS() as Manifest | null
    return manifest === null ? [] : [manifest]
  })

export const ofKind = (manifests: readonly Manifest[], ...kinds: string[]): Manifest[] =>
  manifests.filter(({ kind }) => kinds.includes(kind))
export const workloadsOf = (manifests: readonly Manifest[]): Manifest[] => ofKind(manifests, 'Deployment', 'Job')

/** Whether a selector takes something with these labels. */
export const selects = (
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean => Object.entries(selector).every(([label, value]) => labels[label] === value)
