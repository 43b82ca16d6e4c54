import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { chart, valuesFile } from '../../deploy/helm/rendered.ts'
import { helmTools } from '../../deploy/helm/tools.ts'
import { type Answer, type Cluster, definitions, missingPrograms, type Resource, startCluster } from './cluster.ts'
import { addNode, type Fate, playKubelets } from './node.ts'
import { addNamespace, addSecret, objects, until } from './release.ts'

// A control plane for the tests of the chart in a file: etcd, API server with its admission, controllers and scheduler are real; what a kubelet tells of its pods is
// played (node.ts), so no container runs. CONTRIBUTING.md says how to build the programs.
const lacking = missingPrograms(process.env)
export const { tools, missing } = lacking.length > 0 ? { tools: undefined, missing: '' } : await helmTools(process.env)
export const because =
  lacking.length > 0 ? ` (skipped: no ${lacking.join(', no ')} in KUBEBUILDER_ASSETS or on the PATH)` : missing
const crds = definitions(process.env)
export const operators = crds.length > 0
export const withoutOperators = operators ? '' : ' (skipped: no crds in KUBEBUILDER_ASSETS)'

export const folder = tools === undefined ? '' : mkdtempSync(join(tmpdir(), 'winnow-chart-cluster-'))
export let cluster: Cluster
let kubelets: ReturnType<typeof playKubelets> | undefined
/** What some pods come to; others run. */
export const fates: ((pod: Resource) => Fate | undefined)[] = []
const fateOf = (pod: Resource): Fate => fates.map((fate) => fate(pod)).find((fate) => fate !== undefined) ?? {}

/** Starts it before the tests of the file that calls this, and ends it after them. */
export function useControlPlane(): void {
  beforeAll(async () => {
    if (tools === undefined) return
    cluster = await startCluster(process.env)
    await addNode(cluster, 'node')
    await addNode(cluster, 'node-with-gpus', {
      labels: { 'nvidia.com/gpu.present': 'true' },
      taints: [{ key: 'nvidia.com/gpu', value: 'present', effect: 'NoSchedule' }],
      extended: { 'nvidia.com/gpu': '8' },
    })
    // Without it a claim that is seen before its volume is told that there is no such class.
    await cluster.api('POST', '/apis/storage.k8s.io/v1/storageclasses', {
      ...{ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: 'shared' } },
      provisioner: 'example.com/by-hand',
    })
    for (const file of crds) await cluster.kubectl(['apply', '--server-side', '--filename', file])
    if (operators) await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=60s', 'crd', '--all'])
    kubelets = playKubelets(cluster, fateOf)
  })
  afterAll(async () => {
    if (tools === undefined) return
    try {
      await kubelets?.stop()
    } finally {
      await cluster?.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  })
}

export const helm = (...args: string[]): Promise<Answer> => cluster.run(tools!.helm, args)
/** Helm, which must succeed and pass on no warning of the API server. */
export async function helmDoes(...args: string[]): Promise<string> {
  const answer = await helm(...args)
  expect(answer, `helm ${args.join(' ')}`).toMatchObject({ code: 0, stderr: '' })
  return answer.stdout
}
export const given = (files: readonly string[], set: readonly string[] = []): string[] => [
  ...files.flatMap((name) => ['--values', valuesFile(name)]),
  ...set.flatMap((one) => ['--set-json', one]),
]
export const waits = ['--wait', '--timeout', '90s']

/** The Secrets, and in them the keys, that the files of values name. */
export const secrets: Record<string, string[]> = {
  'winnow-kafka': ['password'],
  'winnow-registry': ['password'],
  'winnow-clickhouse': ['password'],
  'winnow-board': ['token'],
  'winnow-metrics': ['token'],
  'winnow-keys': ['master-keys.json'],
  'kafka-cluster-ca-cert': ['ca.crt'],
  winnow: ['user.crt', 'user.key'],
}

/** A namespace with everything that is the user's to make: Secrets, and claims of volumes. */
export async function prepare(
  namespace: string,
  names = Object.keys(secrets),
  claim = 'winnow-checkpoints',
): Promise<void> {
  await addNamespace(cluster, namespace)
  for (const name of names) {
    const texts = secrets[name]!.map((key) => [key, 'a-secret-of-this-test'])
    await addSecret(cluster, namespace, name, Object.fromEntries(texts))
  }
  // The chart makes `checkpoints` itself; a volume of theirs is there for each.
  for (const folder of ['models', 'corpus', 'checkpoints']) {
    const [accessModes, storageClassName, room] = [['ReadWriteMany'], 'shared', { storage: '1Ti' }]
    await cluster.api('POST', '/api/v1/persistentvolumes', {
      ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: `${namespace}-${folder}` } },
      spec: {
        ...{ accessModes, storageClassName, capacity: room, nfs: { server: 'files', path: `/${folder}` } },
        claimRef: { namespace, name: folder === 'checkpoints' ? claim : folder },
      },
    })
    if (folder !== 'checkpoints')
      await cluster.api('POST', `/api/v1/namespaces/${namespace}/persistentvolumeclaims`, {
        ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: folder } },
        spec: { accessModes, storageClassName, resources: { requests: room } },
      })
  }
}

export const podsOf = async (namespace: string): Promise<Resource[]> =>
  (await objects(cluster, namespace, 'pods')).filter(({ metadata }) => metadata.deletionTimestamp === undefined)
export const ofComponent = (all: readonly Resource[], component: string): Resource[] =>
  all.filter(({ metadata }) => metadata.labels['app.kubernetes.io/component'].startsWith(component))
export const nameOf = ({ metadata }: Resource): string => metadata.name

/** Every workload has the pods that it asks for, of its present template, and all are ready. */
export async function settled(namespace: string): Promise<Resource[]> {
  let pods: Resource[] = []
  await until(async () => {
    const deployments = await objects(cluster, namespace, 'deployments')
    const jobs = await objects(cluster, namespace, 'jobs')
    for (const { metadata, spec, status } of deployments) {
      const { observedGeneration, replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status
      expect([observedGeneration, replicas, updatedReplicas, availableReplicas], metadata.name).toEqual([
        ...[metadata.generation, spec.replicas, spec.replicas, spec.replicas],
      ])
    }
    for (const { metadata, status } of jobs) expect(status, metadata.name).toMatchObject({ active: 1, ready: 1 })
    pods = await podsOf(namespace)
    const wanted = deployments.reduce((sum, { spec }) => sum + spec.replicas, 0) + jobs.length
    expect(pods.map(nameOf).length).toBe(wanted)
  })
  return pods
}

export const warnings = async (namespace: string): Promise<string[]> =>
  (await objects(cluster, namespace, 'events'))
    .filter(({ type }) => type !== 'Normal')
    // For a moment a budget sees pods whose Deployment is removed, and pods are there before a claim that was made with them is bound.
    .filter(({ reason }) => reason !== 'CalculateExpectedPodCountFailed')
    .filter(({ message }) => !message.includes('pod has unbound immediate PersistentVolumeClaims'))
    .map(({ reason, message, involvedObject }) => `${reason} ${involvedObject.name}: ${message}`)

/** Of the tests that change one. */
export const release = 'winnow'
export const runs = { first: { influence: { replicas: 2 }, trainer: { enabled: true } } }
export const base = [
  ...['ingest.mode="job"', 'storage.corpus.existingClaim="corpus"', 'storage.models.existingClaim="models"'],
  ...['storage.checkpoints={"size":"500Gi","storageClassName":"shared"}', `runs=${JSON.stringify(runs)}`],
  'labelSink.replicas=2',
]
/** What was set last, by namespace. */
const sets = new Map<string, string[]>()
/** Installs a release with `base` and these in a namespace of its own; its pods. */
export const install = async (namespace: string, set: string[] = []): Promise<Resource[]> => {
  await prepare(namespace)
  sets.set(namespace, [...base, ...set])
  const values = given(['managed'], sets.get(namespace))
  await helmDoes('install', release, chart, '--namespace', namespace, ...values, ...waits)
  return await settled(namespace)
}
/** Upgrades to the values before, and these; its pods. */
export const upgrade = async (namespace: string, set: string[] = []): Promise<Resource[]> => {
  sets.get(namespace)!.push(...set)
  const values = given(['managed'], sets.get(namespace))
  // Helm forgets the first of more than ten.
  const history = ['--history-max', '0']
  await helmDoes('upgrade', release, chart, '--namespace', namespace, ...values, ...waits, ...history)
  return await settled(namespace)
}
export const uids = (pods: readonly Resource[]): string[] => pods.map(({ metadata }) => metadata.uid).sort()
/** Components of pods that were not there before. */
export const newOf = (pods: readonly Resource[], before: readonly Resource[]): string[] => {
  const known = uids(before)
  const fresh = pods.filter(({ metadata }) => !known.includes(metadata.uid))
  return [...new Set(fresh.map(({ metadata }) => metadata.labels['app.kubernetes.io/component'] as string))].sort()
}
/** Without the hash of a Job. */
export const bare = (components: readonly string[]): string[] =>
  components.map((name) => name.replace(/-[0-9a-f]{8}$/, ''))
