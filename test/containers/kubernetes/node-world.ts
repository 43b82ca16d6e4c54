import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect } from 'vitest'
import { findJava } from '../../../deploy/dev/java.ts'
import { chart } from '../../deploy/helm/rendered.ts'
import { helmTools } from '../../deploy/helm/tools.ts'
import { type Cluster, missingPrograms, type Resource, startCluster } from './cluster.ts'
import { containerPrograms, missingForContainers, startContainerd } from './containerd.ts'
import { type Kubelet, startKubelet } from './kubelet.ts'
import { missingForPolicies, startPolicies } from './policies.ts'
import { addNamespace, addSecret, objects, until } from './release.ts'
import { type PodServers, startPodServers } from './servers.ts'

// A node for the tests of the chart in a file: the chart's pods are run by a kubelet and containerd on this machine, with the image of this work tree, against a
// broker with logins over TLS, a registry and ClickHouse beside them. CONTRIBUTING.md says what it takes.
const assets = process.env.KUBEBUILDER_ASSETS ?? ''
const java = await findJava(process.env)
const lacking = [
  ...missingPrograms(process.env, 'kubelet', 'buildah', 'openssl', ...containerPrograms),
  ...missingForContainers(),
  ...('missing' in java ? [java.missing] : []),
  ...(existsSync(join(assets, 'images/storage')) ? [] : ['images in KUBEBUILDER_ASSETS']),
]
const { tools, missing } = lacking.length > 0 ? { tools: undefined, missing: '' } : await helmTools(process.env)
/** Why the tests are skipped, for their name; empty where they are not. */
export const without = (...more: readonly string[]): string => {
  const all = [...lacking, ...more]
  return all.length > 0 ? ` (skipped: no ${all.join(', no ')})` : missing
}

export const namespace = 'trained'
export const release = 'winnow'
export const boardToken = 'a-token-of-this-test'
export const metricsToken = 'another-token-of-this-test'
export let folder: string
export let cluster: Cluster
export let servers: PodServers
export let kubelet: Kubelet
const starting = new AsyncDisposableStack()

/** Starts it before the tests of the file that calls this, and ends it after them. @param policies whether network policies are kept there */
export function useNode({ policies = false } = {}): void {
  const skipped = without(...(policies ? missingForPolicies(process.env) : [])) !== ''
  beforeAll(async () => {
    if (skipped) return
    folder = mkdtempSync(join(tmpdir(), 'winnow-kubelet-'))
    await promisify(execFile)('sh', [join(import.meta.dirname, 'images.sh'), assets], { maxBuffer: 1 << 26 })
    cluster = starting.adopt(await startCluster(process.env), (one) => one.stop())
    const images = ['pause', 'winnow'].map((name) => join(assets, `images/${name}.tar`))
    const containerd = await startContainerd(folder, images)
    kubelet = starting.adopt(await startKubelet(cluster, containerd, folder), (one) => one.stop())
    if (policies) starting.adopt(await startPolicies(cluster, kubelet, containerd, folder), (one) => one.stop())
    servers = starting.adopt(await startPodServers(join(folder, 'servers'), containerd.address), (one) => one.stop())
    await prepare()
  }, 900_000)
  afterAll(async () => {
    if (skipped) return
    await starting.disposeAsync()
    rmSync(folder, { recursive: true, force: true })
  }, 120_000)
}

const keyFile = () => join(folder, 'master-keys.json')
export const keys = () => ({ 'master-keys.json': readFileSync(keyFile(), 'utf8') })
/** winnow on this machine, which has the file of master keys and reaches the same servers. */
export async function atHome(...args: string[]): Promise<void> {
  const { config } = values()
  const kafka = { ...config.kafka, ca: servers.broker.ca }
  const corpus = { ...config.corpus, encryption: keyFile() }
  writeFileSync(join(folder, 'winnow.yaml'), JSON.stringify({ ...config, kafka, corpus }))
  const own = { WINNOW_KAFKA_PASSWORD: servers.password, WINNOW_CLICKHOUSE_PASSWORD: servers.password }
  const program = join(import.meta.dirname, '../../../deploy/bin.mjs')
  await promisify(execFile)(process.execPath, [program, ...args], { cwd: folder, env: { ...process.env, ...own } })
}

/** The namespace with Secrets and the claims of volumes on this machine. */
async function prepare(): Promise<void> {
  await addNamespace(cluster, namespace)
  await atHome('keys', 'create', keyFile())
  const secrets = {
    keys: keys(),
    kafka: { password: servers.password, 'ca.crt': readFileSync(servers.broker.ca, 'utf8') },
    clickhouse: { password: servers.password },
    board: { token: boardToken },
    metrics: { token: metricsToken },
  }
  for (const [name, texts] of Object.entries(secrets)) await addSecret(cluster, namespace, name, texts)
  for (const name of ['models', 'corpus', 'checkpoints']) {
    const path = join(folder, 'volumes', name)
    mkdirSync(path, { recursive: true })
    const [accessModes, storageClassName, storage] = [['ReadWriteMany'], 'local', '10Gi']
    const here = { key: 'kubernetes.io/hostname', operator: 'In', values: [kubelet.node] }
    await cluster.api('POST', '/api/v1/persistentvolumes', {
      ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name } },
      spec: {
        ...{ accessModes, storageClassName, capacity: { storage }, local: { path }, claimRef: { namespace, name } },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [here] }] } },
      },
    })
    await cluster.api('POST', `/api/v1/namespaces/${namespace}/persistentvolumeclaims`, {
      ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name } },
      spec: { accessModes, storageClassName, resources: { requests: { storage } } },
    })
  }
  addRows('first.jsonl', 0, 900)
}

const sources = ['ledger', 'letter', 'recipe']
/** Writes a file of the corpus. */
export function addRows(name: string, first: number, count: number): void {
  const rows = Array.from({ length: count }, (_, i) => {
    const n = first + i
    const words = Array.from({ length: 60 }, (_, k) => `word${(n * 7 + k * k) % 211}`)
    return `${JSON.stringify({ text: `${n}: ${words.join(' ')}`, meta: { source: sources[n % 3] } })}\n`
  })
  const path = join(folder, 'volumes/corpus', name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, rows.join(''))
}

const room = { resources: { requests: { cpu: '10m', memory: '64Mi' } } }
const values = () => ({
  config: {
    kafka: { brokers: [servers.broker.tls], tls: true, sasl: 'scram-sha-512', username: servers.user },
    registry: { url: servers.registryUrl },
    clickhouse: { url: servers.clickhouseUrl, username: servers.user, database: 'winnow' },
    corpus: { partitions: 2 },
    actors: {
      quality: { labeler: { kind: 'hashed', model: 'shipped:quality' } },
      domain: { subcategories: sources, labeler: { kind: 'metadata', path: 'source' } },
    },
  },
  secrets: {
    kafkaPassword: { name: 'kafka', key: 'password' },
    kafkaCa: { name: 'kafka', key: 'ca.crt' },
    clickhousePassword: { name: 'clickhouse', key: 'password' },
    boardToken: { name: 'board', key: 'token' },
    metricsToken: { name: 'metrics', key: 'token' },
    masterKeys: { name: 'keys', key: 'master-keys.json' },
  },
  storage: Object.fromEntries(['models', 'corpus', 'checkpoints'].map((name) => [name, { existingClaim: name }])),
  ...{ defaults: room, decontamination: { ...room, scratch: '64Mi' }, duplicates: room },
  tools: { enabled: true, ...room },
  ingest: { mode: 'job', paths: ['/corpus/first.jsonl'] },
})

export const inNamespace = ['--namespace', namespace]
export async function helm(...args: string[]): Promise<void> {
  const answer = await cluster.run(tools!.helm, [...args, ...inNamespace])
  expect(answer, `helm ${args.join(' ')}`).toMatchObject({ code: 0, stderr: '' })
}
/** Installs the release, or changes it to these values over those above. */
export async function changeTo(more: object = {}): Promise<void> {
  const files = [values(), more].flatMap((given, i) => {
    const file = join(folder, `values-${i}.json`)
    writeFileSync(file, JSON.stringify(given))
    return ['--values', file]
  })
  await helm('upgrade', '--install', release, chart, ...files)
}

/** In ms; longer where all tests are given more time (vitest.config.ts). */
export const patient = 240_000 * Number(process.env.WINNOW_TEST_PATIENCE ?? 1)
export const podsOf = async (component: string): Promise<Resource[]> =>
  (await objects(cluster, namespace, 'pods'))
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .filter(
      ({ metadata }) => metadata.labels?.['app.kubernetes.io/component']?.replace(/-[0-9a-f]{8}$/, '') === component,
    )
export const jobOf = async (component: string): Promise<Resource> =>
  (await objects(cluster, namespace, 'jobs')).find(({ metadata }) =>
    metadata.name.startsWith(`${release}-${component}`),
  )
/** Every pod of a Deployment is of its present template, and ready. */
export const settled = (): Promise<void> =>
  until(async () => {
    for (const { metadata, spec, status } of await objects(cluster, namespace, 'deployments')) {
      const { observedGeneration, replicas, updatedReplicas, availableReplicas } = status
      expect([observedGeneration, replicas, updatedReplicas, availableReplicas], metadata.name).toEqual([
        ...[metadata.generation, spec.replicas, spec.replicas, spec.replicas],
      ])
    }
  }, patient)
export const completed = (component: string): Promise<void> =>
  until(async () => {
    const { conditions = [] } = (await jobOf(component)).status
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'Complete', status: 'True' }))
  }, patient)

/** Runs a command in a container of a Deployment. */
export const exec = (component: string, ...command: string[]): Promise<string> =>
  cluster.kubectl(['exec', `deployment/${release}-${component}`, ...inNamespace, '--', ...command])
export const winnow = (...args: string[]): Promise<string> =>
  exec('tools', 'node', '/app/deploy/bin.mjs', ...args, '--config', '/etc/winnow/winnow.yaml')
export const logOf = (pod: Resource, ...args: string[]): Promise<string> =>
  cluster.kubectl(['logs', pod.metadata.name, ...inNamespace, ...args])
export const saidBy = (pod: Resource, line: RegExp): Promise<void> =>
  until(async () => expect(await logOf(pod)).toMatch(line), patient)

/** Deletes a pod, or ends it in another way; the code of its container, which is told before it is gone: a finalizer keeps it until then. */
export async function exitOf(pod: Resource, end?: () => Promise<unknown>): Promise<number> {
  const path = `/api/v1/namespaces/${namespace}/pods/${pod.metadata.name}`
  const keep = (finalizers: string[] | null) =>
    cluster.api('PATCH', path, { metadata: { finalizers } }, 'application/merge-patch+json')
  await keep([...(pod.metadata.finalizers ?? []), 'winnow.test/until-seen'])
  const seen = async (): Promise<number> => {
    let code: number | undefined
    await until(async () => {
      code = (await cluster.api('GET', path)).status.containerStatuses[0].state.terminated?.exitCode
      expect(code).toEqual(expect.any(Number))
    })
    const { finalizers } = (await cluster.api('GET', path)).metadata
    await keep(finalizers.filter((name: string) => name !== 'winnow.test/until-seen'))
    return code!
  }
  const [code] = await Promise.all([seen(), end === undefined ? cluster.api('DELETE', path) : end()])
  return code
}

export const labelled = (count: number): Promise<void> =>
  until(
    async () => expect(await winnow('status')).toContain(`${count} documents, ${count} labelled by every actor`),
    patient,
  )
/** How many documents there are. */
export const documents = async (): Promise<number> => Number(/corpus: (\d+) documents/.exec(await winnow('status'))![1])

/** The chart as it is, with all that `prepare` made: it is there, and its documents are labelled. */
export async function installed(): Promise<void> {
  await changeTo()
  await settled()
  await completed('ingest')
  await labelled(900)
  await nothingWrong()
}

export async function nothingWrong(): Promise<void> {
  expect(await winnow('doctor')).not.toMatch(/ (problem|warning|unreachable) /)
}
