import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Cluster, Resource } from './cluster.ts'

/** Objects of a namespace by kind, as the API server has them. */
const paths = {
  pods: ['/api/v1', 'pods'],
  services: ['/api/v1', 'services'],
  slices: ['/apis/discovery.k8s.io/v1', 'endpointslices'],
  secrets: ['/api/v1', 'secrets'],
  configMaps: ['/api/v1', 'configmaps'],
  claims: ['/api/v1', 'persistentvolumeclaims'],
  accounts: ['/api/v1', 'serviceaccounts'],
  events: ['/api/v1', 'events'],
  deployments: ['/apis/apps/v1', 'deployments'],
  jobs: ['/apis/batch/v1', 'jobs'],
  budgets: ['/apis/policy/v1', 'poddisruptionbudgets'],
  policies: ['/apis/networking.k8s.io/v1', 'networkpolicies'],
} as const
export type Kind = keyof typeof paths

export const objects = async (cluster: Cluster, namespace: string, kind: Kind): Promise<Resource[]> => {
  const [group, plural] = paths[kind]
  return await cluster.list(`${group}/namespaces/${namespace}/${plural}`)
}

/** Asks again until `judge` throws no more, for a minute unless told. @throws what it threw last */
export async function until(judge: () => Promise<void>, msMax = 60_000): Promise<void> {
  const late = AbortSignal.timeout(msMax)
  for (;;) {
    try {
      return await judge()
    } catch (error) {
      if (late.aborted) throw error
      await sleep(200)
    }
  }
}

/** A namespace that admits only pods of the profile `restricted`. */
export async function addNamespace(cluster: Cluster, name: string): Promise<void> {
  const modes = ['enforce', 'warn', 'audit'].map((mode) => [`pod-security.kubernetes.io/${mode}`, 'restricted'])
  const metadata = { name, labels: Object.fromEntries(modes) as Record<string, string> }
  await cluster.api('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata })
  await until(async () => {
    expect((await objects(cluster, name, 'accounts')).map(({ metadata }) => metadata.name)).toContain('default')
  })
}

/** A Secret by its texts. */
export const addSecret = (
  cluster: Cluster,
  namespace: string,
  name: string,
  stringData: Readonly<Record<string, string>>,
): Promise<unknown> =>
  cluster.api('POST', `/api/v1/namespaces/${namespace}/secrets`, {
    ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData },
  })

/** What pods need of their namespace before they can start, as `KIND NAME KEY`. */
export const needs = (pod: Resource): string[] => {
  const of = (kind: Kind, name: string, ...keys: string[]) =>
    keys.length === 0 ? [`${kind} ${name}`] : keys.map((key) => `${kind} ${name} ${key}`)
  const keysOf = ({ items }: Resource): string[] => (items ?? []).map(({ key }: Resource) => key)
  const ofVolume = (volume: Resource): string[] => [
    ...(volume.configMap ? of('configMaps', volume.configMap.name, ...keysOf(volume.configMap)) : []),
    ...(volume.secret ? of('secrets', volume.secret.secretName, ...keysOf(volume.secret)) : []),
    ...(volume.persistentVolumeClaim ? of('claims', volume.persistentVolumeClaim.claimName) : []),
    ...(volume.projected?.sources ?? []).flatMap(({ secret, serviceAccountToken }: Resource) =>
      serviceAccountToken ? ['a token of the cluster'] : of('secrets', secret.name, ...keysOf(secret)),
    ),
  ]
  const ofVariable = ({ valueFrom }: Resource): string[] =>
    valueFrom?.secretKeyRef ? of('secrets', valueFrom.secretKeyRef.name, valueFrom.secretKeyRef.key) : []
  return [
    ...of('accounts', pod.spec.serviceAccountName),
    ...pod.spec.volumes.flatMap(ofVolume),
    ...pod.spec.containers.flatMap(({ env }: Resource) => (env ?? []).flatMap(ofVariable)),
  ]
}

/** What a namespace has of it, in the same words. */
export async function has(cluster: Cluster, namespace: string): Promise<Set<string>> {
  const all: string[] = []
  for (const kind of ['configMaps', 'secrets', 'claims', 'accounts'] as const)
    for (const { metadata, data } of await objects(cluster, namespace, kind))
      all.push(`${kind} ${metadata.name}`, ...Object.keys(data ?? {}).map((key) => `${kind} ${metadata.name} ${key}`))
  return new Set(all)
}

/** All that a namespace has with a release's label, as `KIND/NAME`, whatever kinds there are. */
export async function leftOf(cluster: Cluster, namespace: string, release: string): Promise<string[]> {
  const kinds = (await cluster.kubectl(['api-resources', '--namespaced', '--verbs=list', '--output=name']))
    .split('\n')
    .filter((kind) => kind !== '' && !kind.startsWith('events'))
  const selector = `--selector=app.kubernetes.io/instance=${release}`
  const args = ['get', kinds.join(','), '--namespace', namespace, selector, '--output=name', '--ignore-not-found']
  return (await cluster.kubectl(args)).split('\n').filter((line) => line !== '')
}
