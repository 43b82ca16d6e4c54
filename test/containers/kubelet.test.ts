import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findJava } from '../../deploy/dev/java.ts'
import { chart } from '../deploy/helm/rendered.ts'
import { helmTools } from '../deploy/helm/tools.ts'
import { type Cluster, missingPrograms, type Resource, startCluster } from './kubernetes/cluster.ts'
import { containerPrograms, missingForContainers, startContainerd } from './kubernetes/containerd.ts'
import { type Kubelet, startKubelet } from './kubernetes/kubelet.ts'
import { addNamespace, addSecret, objects, until } from './kubernetes/release.ts'
import { type PodServers, startPodServers } from './kubernetes/servers.ts'

// The chart's pods, run by a kubelet and containerd on this machine, with the image of this work tree, against a broker with logins over TLS, a registry and
// ClickHouse beside them. CONTRIBUTING.md says what it takes.
const assets = process.env.KUBEBUILDER_ASSETS ?? ''
const java = await findJava(process.env)
const lacking = [
  ...missingPrograms(process.env, 'kubelet', 'buildah', 'openssl', ...containerPrograms),
  ...missingForContainers(),
  ...('missing' in java ? [java.missing] : []),
  ...(existsSync(join(assets, 'images/storage')) ? [] : ['images in KUBEBUILDER_ASSETS']),
]
const { tools, missing } = lacking.length > 0 ? { tools: undefined, missing: '' } : await helmTools(process.env)
const because = lacking.length > 0 ? ` (skipped: no ${lacking.join(', no ')})` : missing

const namespace = 'trained'
const release = 'winnow'
const boardToken = 'a-token-of-this-test'
const folder = tools === undefined ? '' : mkdtempSync(join(tmpdir(), 'winnow-kubelet-'))
const starting = new AsyncDisposableStack()
let cluster: Cluster
let kubelet: Kubelet
let servers: PodServers

beforeAll(async () => {
  if (tools === undefined) return
  await promisify(execFile)('sh', [join(import.meta.dirname, 'kubernetes/images.sh'), assets], { maxBuffer: 1 << 26 })
  cluster = starting.adopt(await startCluster(process.env), (one) => one.stop())
  const images = ['pause', 'winnow'].map((name) => join(assets, `images/${name}.tar`))
  const containerd = await startContainerd(folder, images)
  kubelet = starting.adopt(await startKubelet(cluster, containerd, folder), (one) => one.stop())
  servers = starting.adopt(await startPodServers(join(folder, 'servers'), containerd.address), (one) => one.stop())
  await prepare()
}, 900_000)
afterAll(async () => {
  if (tools === undefined) return
  await starting.disposeAsync()
  rmSync(folder, { recursive: true, force: true })
}, 120_000)

const keyFile = join(folder, 'master-keys.json')
const keys = () => ({ 'master-keys.json': readFileSync(keyFile, 'utf8') })
/** winnow on this machine, which has the file of master keys and reaches the same servers. */
async function atHome(...args: string[]): Promise<void> {
  const { config } = values()
  const kafka = { ...config.kafka, ca: servers.broker.ca }
  const corpus = { ...config.corpus, encryption: keyFile }
  writeFileSync(join(folder, 'winnow.yaml'), JSON.stringify({ ...config, kafka, corpus }))
  const own = { WINNOW_KAFKA_PASSWORD: servers.password, WINNOW_CLICKHOUSE_PASSWORD: servers.password }
  const program = join(import.meta.dirname, '../../deploy/bin.mjs')
  await promisify(execFile)(process.execPath, [program, ...args], { cwd: folder, env: { ...process.env, ...own } })
}

/** The namespace with Secrets and the claims of volumes on this machine. */
async function prepare(): Promise<void> {
  await addNamespace(cluster, namespace)
  await atHome('keys', 'create', keyFile)
  const secrets = {
    keys: keys(),
    kafka: { password: servers.password, 'ca.crt': readFileSync(servers.broker.ca, 'utf8') },
    clickhouse: { password: servers.password },
    board: { token: boardToken },
    metrics: { token: 'another-token-of-this-test' },
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
function addRows(name: string, first: number, count: number): void {
  const rows = Array.from({ length: count }, (_, i) => {
    const n = first + i
    const words = Array.from({ length: 60 }, (_, k) => `word${(n * 7 + k * k) % 211}`)
    return `${JSON.stringify({ text: `${n}: ${words.join(' ')}`, meta: { source: sources[n % 3] } })}\n`
  })
  writeFileSync(join(folder, 'volumes/corpus', name), rows.join(''))
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
  ...{ defaults: room, decontamination: room, duplicates: room },
  tools: { enabled: true, ...room },
  ingest: { mode: 'job', paths: ['/corpus/first.jsonl'] },
})

const inNamespace = ['--namespace', namespace]
async function helm(...args: string[]): Promise<void> {
  const answer = await cluster.run(tools!.helm, [...args, ...inNamespace])
  expect(answer, `helm ${args.join(' ')}`).toMatchObject({ code: 0, stderr: '' })
}
/** Installs the release, or changes it to these values over those above. */
async function changeTo(more: object = {}): Promise<void> {
  const files = [values(), more].flatMap((given, i) => {
    const file = join(folder, `values-${i}.json`)
    writeFileSync(file, JSON.stringify(given))
    return ['--values', file]
  })
  await helm('upgrade', '--install', release, chart, ...files)
}

const patient = 240_000
const podsOf = async (component: string): Promise<Resource[]> =>
  (await objects(cluster, namespace, 'pods'))
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .filter(({ metadata }) => metadata.labels['app.kubernetes.io/component'].replace(/-[0-9a-f]{8}$/, '') === component)
const jobOf = async (component: string): Promise<Resource> =>
  (await objects(cluster, namespace, 'jobs')).find(({ metadata }) =>
    metadata.name.startsWith(`${release}-${component}`),
  )
/** Every pod of a Deployment is of its present template, and ready. */
const settled = (): Promise<void> =>
  until(async () => {
    for (const { metadata, spec, status } of await objects(cluster, namespace, 'deployments')) {
      const { observedGeneration, replicas, updatedReplicas, availableReplicas } = status
      expect([observedGeneration, replicas, updatedReplicas, availableReplicas], metadata.name).toEqual([
        ...[metadata.generation, spec.replicas, spec.replicas, spec.replicas],
      ])
    }
  }, patient)
const completed = (component: string): Promise<void> =>
  until(async () => {
    const { conditions = [] } = (await jobOf(component)).status
    expect(conditions).toContainEqual(expect.objectContaining({ type: 'Complete', status: 'True' }))
  }, patient)

/** Runs a command in a container of a Deployment. */
const exec = (component: string, ...command: string[]): Promise<string> =>
  cluster.kubectl(['exec', `deployment/${release}-${component}`, ...inNamespace, '--', ...command])
const winnow = (...args: string[]): Promise<string> =>
  exec('tools', 'node', '/app/deploy/bin.mjs', ...args, '--config', '/etc/winnow/winnow.yaml')
const logOf = (pod: Resource, ...args: string[]): Promise<string> =>
  cluster.kubectl(['logs', pod.metadata.name, ...inNamespace, ...args])
const saidBy = (pod: Resource, line: RegExp): Promise<void> =>
  until(async () => expect(await logOf(pod)).toMatch(line), patient)

/** Deletes a pod; the code of its container, which is told before it is gone: a finalizer keeps it until then. */
async function exitOf(pod: Resource): Promise<number> {
  const path = `/api/v1/namespaces/${namespace}/pods/${pod.metadata.name}`
  const keep = (finalizers: string[] | null) =>
    cluster.api('PATCH', path, { metadata: { finalizers } }, 'application/merge-patch+json')
  await keep([...(pod.metadata.finalizers ?? []), 'winnow.test/until-seen'])
  await cluster.api('DELETE', path)
  let code: number | undefined
  await until(async () => {
    code = (await cluster.api('GET', path)).status.containerStatuses[0].state.terminated?.exitCode
    expect(code).toEqual(expect.any(Number))
  })
  const { finalizers } = (await cluster.api('GET', path)).metadata
  await keep(finalizers.filter((name: string) => name !== 'winnow.test/until-seen'))
  return code!
}

const labelled = (count: number): Promise<void> =>
  until(
    async () => expect(await winnow('status')).toContain(`${count} documents, ${count} labelled by every actor`),
    patient,
  )

describe.skipIf(tools === undefined)(`the chart on a node of Kubernetes${because}`, () => {
  test('installed, every pod becomes ready by its probes, the Job of ingest ends complete, and every document is labelled', async () => {
    await changeTo()
    await settled()
    await completed('ingest')
    await labelled(900)
    expect(await winnow('doctor')).not.toMatch(/ (problem|warning|unreachable) /)
    const [board] = await podsOf('board')
    const service = `/api/v1/namespaces/${namespace}/services/${release}-board:http/proxy`
    expect(await cluster.api('GET', `${service}/readyz`)).toBeDefined()
    await expect(cluster.api('GET', `${service}/api/snapshot`)).rejects.toMatchObject({ status: 401 })
    for (const pod of [board, ...(await podsOf('tools'))])
      expect(await logOf(pod)).not.toMatch(new RegExp(`${boardToken}|${servers.password}`))
  })

  test('its containers are nobody who could do harm: no root, no capability, nothing to write but their own folders', async () => {
    const look = [
      'id -u; id -g; id -G; grep -E "^(CapBnd|NoNewPrivs|Seccomp):" /proc/1/status',
      'for folder in / /app /etc/winnow /corpus; do touch $folder/x 2>/dev/null && echo $folder; done',
      'touch /tmp/x /data/x && stat -L -c %a:%u:%g /etc/winnow-secrets/kafkaPassword',
      'ls /var/run/secrets 2>/dev/null || true',
    ].join('; ')
    const status = ['CapBnd:\t0000000000000000', 'NoNewPrivs:\t1', 'Seccomp:\t2']
    for (const component of ['board', 'label-sink', 'labeler-quality', 'duplicates', 'decontamination', 'tools'])
      expect((await exec(component, 'sh', '-c', look)).trim().split('\n'), component).toEqual([
        ...['1000', '1000', '1000', ...status, '440:0:1000'],
      ])
    // Volumes that root made, as the drivers of most disks do: what is written is the pods', what is read stays as it was.
    await exec('tools', 'sh', '-c', 'touch /checkpoints/x && rm /checkpoints/x')
    const { mode, gid } = statSync(join(folder, 'volumes/corpus/first.jsonl'))
    expect([mode & 0o777, gid]).toEqual([0o644, 0])
  })

  test('pods that are deleted while they work end by themselves in the time that they have, and others go on', async () => {
    addRows('second.jsonl', 900, 5_000)
    await changeTo({ ingest: { paths: ['/corpus/second.jsonl'] } })
    await until(async () => expect(await winnow('status')).not.toContain('corpus: 900 documents'), patient)
    const pods = await Promise.all(['labeler-quality', 'labeler-domain', 'label-sink', 'board'].map(podsOf))
    expect(await Promise.all(pods.flat().map(exitOf))).toEqual([0, 0, 0, 0])
    await settled()
    await completed('ingest')
    await labelled(5_900)
  })

  test('master keys are rotated where their file is, and pods go on by the Secret: none starts again', async () => {
    const readers = ['labeler-quality', 'labeler-domain', 'decontamination', 'duplicates', 'board', 'tools']
    const pods = async () =>
      (await Promise.all(readers.map(podsOf)))
        .flat()
        .map(({ metadata, status }) => [metadata.name, status.containerStatuses[0].restartCount])
    const before = await pods()
    const given = async (count: number): Promise<void> => {
      const secret = `/api/v1/namespaces/${namespace}/secrets/keys`
      await cluster.api('PATCH', secret, { stringData: keys() }, 'application/merge-patch+json')
      const counted = 'JSON.parse(fs.readFileSync("/etc/winnow-keys/master-keys.json")).keys.length'
      for (const reader of readers)
        await until(async () => expect(await exec(reader, 'node', '-p', counted)).toBe(`${count}\n`), patient)
    }
    await atHome('keys', 'rotate', '--prepare')
    await given(2)
    await atHome('keys', 'rotate', '--go-on')
    addRows('third.jsonl', 5_900, 300)
    await changeTo({ ingest: { paths: ['/corpus/third.jsonl'] } })
    await completed('ingest')
    await labelled(6_200)
    await atHome('keys', 'drop')
    await given(1)
    expect(await pods()).toEqual(before)
    // Its texts are read by the key that is left.
    expect(await winnow('doctor')).not.toMatch(/ (problem|warning|unreachable) /)
  })

  test('a run that is not recorded waits for it, but for its trainer; recorded, it is trained, also by the pod after one that was deleted', async () => {
    const runs = { first: { influence: { replicas: 1 }, trainer: { enabled: true } } }
    await changeTo({ runs })
    await until(async () => {
      const [pod] = await podsOf('stations-first')
      expect(pod?.status.containerStatuses[0].lastState.terminated?.exitCode).toBe(3)
      const { conditions = [] } = (await jobOf('trainer-first')).status
      expect(conditions).toContainEqual(expect.objectContaining({ type: 'Failed', reason: 'PodFailurePolicy' }))
    }, patient)
    await winnow(
      'init',
      '--run',
      '--name',
      'first',
      '--out',
      '/checkpoints/run.yaml',
      '--checkpoints',
      '/checkpoints/first',
    )
    await winnow('run', 'create', '/checkpoints/run.yaml')
    await cluster.kubectl(['delete', 'job', (await jobOf('trainer-first')).metadata.name, ...inNamespace])
    await changeTo({ runs })
    let trainer: Resource
    await until(async () => {
      ;[trainer] = await podsOf('trainer-first')
      expect(trainer?.status.phase).toBe('Running')
    }, patient)
    await saidBy(trainer, /first\s+step\s+50\/200/)
    expect(await exitOf(trainer)).toBe(143)
    await completed('trainer-first')
    expect((await jobOf('trainer-first')).status).toMatchObject({ succeeded: 1, failed: 1 })
    const [stations] = await podsOf('stations-first')
    await saidBy(stations, /first\s+round 3 selected/)
    expect(await winnow('run', 'list')).toMatch(/first/)
  })

  test('changed to what cannot run, it goes on with the pods that it has: no model, too little memory', async () => {
    await changeTo()
    await settled()
    const before = (await Promise.all(['labeler-quality', 'label-sink'].map(podsOf))).flat()
    const names = before.map(({ metadata }) => metadata.name as string)
    const model = { labeler: { kind: 'onnx', model: '/models/none' } }
    const broken = { actors: ['quality'], config: { actors: { quality: model } } }
    await changeTo({ labelers: { quality: broken }, labelSink: { resources: { limits: { memory: '90Mi' } } } })
    const fresh = async (component: string): Promise<Resource> =>
      (await podsOf(component)).find(({ metadata }) => !names.includes(metadata.name))?.status.containerStatuses?.[0]
    const ends = async (component: string) => (await fresh(component))?.lastState.terminated
    await until(async () => {
      expect(await ends('label-sink')).toMatchObject({ exitCode: 137, reason: 'OOMKilled' })
      expect(await ends('labeler-quality')).toMatchObject({ exitCode: 3 })
    }, patient)
    expect([(await fresh('label-sink')).ready, (await fresh('labeler-quality')).ready]).toEqual([false, false])
    await changeTo()
    await settled()
    expect(
      (await Promise.all(['labeler-quality', 'label-sink'].map(podsOf))).flat().map(({ metadata }) => metadata.name),
    ).toEqual(names)
  })

  test('removed, all its pods end', async () => {
    await helm('uninstall', release, '--wait', '--timeout', '90s')
    await until(async () => expect(await objects(cluster, namespace, 'pods')).toEqual([]))
  })
})
