import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chart, manifestsOf, ofKind, selects, valuesFile } from '../deploy/helm/rendered.ts'
import { helmTools } from '../deploy/helm/tools.ts'
import { blocksFor } from '../support/documents.ts'
import {
  type Answer,
  type Cluster,
  definitions,
  missingPrograms,
  type Resource,
  startCluster,
} from './kubernetes/cluster.ts'
import { addNode, type Fate, playKubelets } from './kubernetes/node.ts'
import { addNamespace, has, leftOf, needs, objects, until } from './kubernetes/release.ts'

// The chart on a control plane of Kubernetes: etcd, API server with its admission, controllers and scheduler are real; what a kubelet tells of its pods is
// played (kubernetes/node.ts), so no container runs. CONTRIBUTING.md says how to build the programs.
const lacking = missingPrograms(process.env)
const { tools, missing } = lacking.length > 0 ? { tools: undefined, missing: '' } : await helmTools(process.env)
const because =
  lacking.length > 0 ? ` (skipped: no ${lacking.join(', no ')} in KUBEBUILDER_ASSETS or on the PATH)` : missing
const crds = definitions(process.env)
const operators = crds.length > 0
const withoutOperators = operators ? '' : ' (skipped: no crds in KUBEBUILDER_ASSETS)'

const folder = mkdtempSync(join(tmpdir(), 'winnow-chart-cluster-'))
let cluster: Cluster
let kubelets: ReturnType<typeof playKubelets> | undefined
/** What some pods come to; others run. */
let fates: ((pod: Resource) => Fate | undefined)[] = []
const fateOf = (pod: Resource): Fate => fates.map((fate) => fate(pod)).find((fate) => fate !== undefined) ?? {}

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
  try {
    await kubelets?.stop()
  } finally {
    await cluster?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
})

const helm = (...args: string[]): Promise<Answer> => cluster.run(tools!.helm, args)
/** Helm, which must succeed and pass on no warning of the API server. */
async function helmDoes(...args: string[]): Promise<string> {
  const answer = await helm(...args)
  expect(answer, `helm ${args.join(' ')}`).toMatchObject({ code: 0, stderr: '' })
  return answer.stdout
}
const given = (files: readonly string[], set: readonly string[] = []): string[] => [
  ...files.flatMap((name) => ['--values', valuesFile(name)]),
  ...set.flatMap((one) => ['--set-json', one]),
]
const waits = ['--wait', '--timeout', '90s']

/** The Secrets, and in them the keys, that the files of values name. */
const secrets: Record<string, string[]> = {
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
async function prepare(namespace: string, names = Object.keys(secrets), claim = 'winnow-checkpoints'): Promise<void> {
  await addNamespace(cluster, namespace)
  for (const [name, keys] of names.map((name) => [name, secrets[name]!] as const))
    await cluster.api('POST', `/api/v1/namespaces/${namespace}/secrets`, {
      ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name } },
      stringData: Object.fromEntries(keys.map((key) => [key, 'a-secret-of-this-test'])),
    })
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

const podsOf = async (namespace: string): Promise<Resource[]> =>
  (await objects(cluster, namespace, 'pods')).filter(({ metadata }) => metadata.deletionTimestamp === undefined)
const ofComponent = (all: readonly Resource[], component: string): Resource[] =>
  all.filter(({ metadata }) => metadata.labels['app.kubernetes.io/component'].startsWith(component))
const nameOf = ({ metadata }: Resource): string => metadata.name

/** Every workload has the pods that it asks for, of its present template, and all are ready. */
async function settled(namespace: string): Promise<Resource[]> {
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

const warnings = async (namespace: string): Promise<string[]> =>
  (await objects(cluster, namespace, 'events'))
    .filter(({ type }) => type !== 'Normal')
    // For a moment a budget sees pods whose Deployment is removed, and pods are there before a claim that was made with them is bound.
    .filter(({ reason }) => reason !== 'CalculateExpectedPodCountFailed')
    .filter(({ message }) => !message.includes('pod has unbound immediate PersistentVolumeClaims'))
    .map(({ reason, message, involvedObject }) => `${reason} ${involvedObject.name}: ${message}`)

const cases = [
  { name: 'defaults', files: [], set: [] },
  { name: 'strimzi-altinity', files: ['strimzi-altinity'], set: [] },
  { name: 'managed', files: ['managed'], set: [] },
  { name: 'run-on-gpus', files: ['strimzi-altinity', 'run-on-gpus'], set: [], custom: true },
  {
    name: 'ingest-once-encrypted',
    files: ['managed', 'run-on-gpus'],
    set: [
      ...['ingest.mode="job"', 'secrets.masterKeys={"name":"winnow-keys","key":"master-keys.json"}'],
      `image.digest="sha256:${'a'.repeat(64)}"`,
    ],
    custom: true,
  },
  // YAML reads both as other than words.
  { name: 'named-by-a-number', release: '2026', files: [], set: ['serviceAccount.create=false'] },
] as { name: string; release?: string; files: string[]; set: string[]; custom?: boolean }[]

describe.skipIf(tools === undefined)(`the chart on a control plane of Kubernetes${because}`, () => {
  for (const { name, release = 'winnow', files, set, custom } of cases)
    test.skipIf(custom && !operators)(
      `installed with the values of ${name}, all that it asks for is there, and nothing is left when it is removed${custom ? withoutOperators : ''}`,
      async () => {
        await prepare(name)
        const inNamespace = ['--namespace', name]
        const text = await helmDoes('template', release, chart, ...inNamespace, ...given(files, set))
        await cluster.kubectl(
          [
            ...['apply', '--server-side', '--dry-run=server', '--warnings-as-errors', '--validate=strict'],
            ...[...inNamespace, '--filename', '-'],
          ],
          text,
        )
        await helmDoes('install', release, chart, ...inNamespace, ...given(files, set), ...waits)
        const pods = await settled(name)
        expect(pods.length).toBeGreaterThan(0)

        // What a kubelet would wait for.
        const there = await has(cluster, name)
        for (const pod of pods) {
          for (const need of needs(pod)) expect([...there], pod.metadata.name).toContain(need)
          const gpu = pod.spec.containers[0].resources.limits['nvidia.com/gpu'] !== undefined
          expect(pod.spec.nodeName, pod.metadata.name).toBe(gpu ? 'node-with-gpus' : 'node')
        }
        expect(pods.filter(({ spec }) => spec.nodeName === 'node-with-gpus').length).toBe(custom ? 4 : 0)

        await until(async () => {
          for (const { metadata, spec, status } of await objects(cluster, name, 'budgets')) {
            const own = pods.filter((pod) => selects(spec.selector.matchLabels, pod.metadata.labels)).length
            expect(own, metadata.name).toBeGreaterThan(0)
            expect(status, metadata.name).toMatchObject({
              expectedPods: own,
              currentHealthy: own,
              disruptionsAllowed: 1,
            })
          }
        })
        const ports = pods.flatMap(({ spec }) => spec.containers[0].ports as { name: string; containerPort: number }[])
        for (const { spec } of await objects(cluster, name, 'policies')) {
          for (const pod of pods) expect(selects(spec.podSelector.matchLabels, pod.metadata.labels)).toBe(true)
          const opened = spec.ingress.flatMap((rule: Resource) => rule.ports.map(({ port }: Resource) => port))
          expect(opened.sort()).toEqual([...new Set(ports.map((port) => port.name))].sort())
        }
        // The Service's port has the address of the board's pod, at the port of its container.
        const [board] = ofComponent(pods, 'board')
        await until(async () => {
          const slices = await objects(cluster, name, 'slices')
          const reached = slices.flatMap(({ endpoints, ports }) =>
            endpoints.map(({ addresses, conditions }: Resource) => [addresses, ports[0].port, conditions.ready]),
          )
          expect(reached).toEqual([[[board.status.podIP], board.spec.containers[0].ports[0].containerPort, true]])
        })
        const account = `system:serviceaccount:${name}:${board.spec.serviceAccountName}`
        for (const [verb, what] of [
          ['get', 'secrets'],
          ['list', 'pods'],
          ['create', 'pods'],
        ])
          expect(
            (
              await cluster.api('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
                ...{ apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview' },
                spec: { user: account, resourceAttributes: { namespace: name, verb, resource: what } },
              })
            ).status.allowed,
          ).toBe(false)
        expect(await warnings(name)).toEqual([])

        await helmDoes('uninstall', release, ...inNamespace, ...waits)
        const kept = ofKind(manifestsOf(text), 'PersistentVolumeClaim').map(
          ({ metadata }) => `persistentvolumeclaim/${metadata.name}`,
        )
        await until(async () => expect(await leftOf(cluster, name, release)).toEqual(kept))
        expect((await objects(cluster, name, 'secrets')).map(nameOf).sort()).toEqual(Object.keys(secrets).sort())
      },
    )

  describe('that is changed', () => {
    const release = 'winnow'
    const runs = { first: { influence: { replicas: 2 }, trainer: { enabled: true } } }
    const base = [
      ...['ingest.mode="job"', 'storage.corpus.existingClaim="corpus"', 'storage.models.existingClaim="models"'],
      ...['storage.checkpoints={"size":"500Gi","storageClassName":"shared"}', `runs=${JSON.stringify(runs)}`],
      'labelSink.replicas=2',
    ]
    const sets = new Map<string, string[]>()
    const install = async (namespace: string, set: string[] = []): Promise<Resource[]> => {
      await prepare(namespace)
      sets.set(namespace, [...base, ...set])
      const values = given(['managed'], sets.get(namespace))
      await helmDoes('install', release, chart, '--namespace', namespace, ...values, ...waits)
      return await settled(namespace)
    }
    /** Upgrades to the values before, and these. */
    const upgrade = async (namespace: string, set: string[] = []): Promise<Resource[]> => {
      sets.get(namespace)!.push(...set)
      const values = given(['managed'], sets.get(namespace))
      // Helm forgets the first of more than ten.
      const history = ['--history-max', '0']
      await helmDoes('upgrade', release, chart, '--namespace', namespace, ...values, ...waits, ...history)
      return await settled(namespace)
    }
    const uids = (pods: readonly Resource[]): string[] => pods.map(({ metadata }) => metadata.uid).sort()
    const newOf = (pods: readonly Resource[], before: readonly Resource[]): string[] => {
      const known = uids(before)
      const fresh = pods.filter(({ metadata }) => !known.includes(metadata.uid))
      return [...new Set(fresh.map(({ metadata }) => metadata.labels['app.kubernetes.io/component'] as string))].sort()
    }
    /** Without the hash of a Job. */
    const bare = (components: readonly string[]): string[] =>
      components.map((name) => name.replace(/-[0-9a-f]{8}$/, ''))

    test('by upgrades of every kind starts the pods that differ and no others, and a rollback brings back what was', async () => {
      const namespace = 'upgrades'
      let pods = await install(namespace)
      const first = await helmDoes('get', 'manifest', release, '--namespace', namespace)
      const every = [...new Set(bare(newOf(pods, [])))].sort()
      expect(every).toEqual([
        ...['board', 'decontamination', 'duplicates', 'influence-first', 'ingest', 'label-sink', 'labeler-domain'],
        ...['labeler-quality', 'labeler-topic', 'stations-first', 'trainer-first'],
      ])
      const influence = { device: 'cuda' }
      const changes: [set: string[], started: string[]][] = [
        [[], []],
        [['labelSink.replicas=3'], ['label-sink']],
        [['labelSink.replicas=1'], []],
        [['ingest.paths=["/corpus/more"]'], ['ingest']],
        [['ingest.mode="watch"'], ['ingest']],
        [['board.port=7078'], ['board']],
        [[`runs.first.influence.config=${JSON.stringify({ influence })}`], ['influence-first']],
        [['runs.second={"trainer":{"enabled":true}}'], ['stations-second', 'trainer-second']],
        [
          [`runs=${JSON.stringify({ first: { ...runs.first, influence: { replicas: 2, config: { influence } } } })}`],
          [],
        ],
        [['runs.first.influence.replicas=0'], ['stations-first']],
        [['labelers={"all":{"actors":["quality","domain","topic"]}}'], ['labeler-all']],
        [['networkPolicy.enabled=false', 'podDisruptionBudgets.enabled=false'], []],
        [['decontamination.enabled=false', 'board.enabled=false'], []],
        [
          ['image.tag="0.1.0-other"'],
          ['duplicates', 'ingest', 'label-sink', 'labeler-all', 'stations-first', 'trainer-first'],
        ],
        [
          ['serviceAccount.name="other"'],
          ['duplicates', 'ingest', 'label-sink', 'labeler-all', 'stations-first', 'trainer-first'],
        ],
      ]
      for (const [set, started] of changes) {
        const before = pods
        pods = await upgrade(namespace, set)
        expect(bare(newOf(pods, before)), set.join()).toEqual(started)
        expect(await warnings(namespace), set.join()).toEqual([])
      }
      await helmDoes('rollback', release, '1', '--namespace', namespace, ...waits)
      pods = await settled(namespace)
      expect(await helmDoes('get', 'manifest', release, '--namespace', namespace)).toBe(first)
      expect([...new Set(bare(newOf(pods, [])))].sort()).toEqual(every)
      expect(await warnings(namespace)).toEqual([])
      const made = ofKind(manifestsOf(first), 'Deployment', 'Job', 'ConfigMap', 'ServiceAccount', 'NetworkPolicy')
      const there = await leftOf(cluster, namespace, release)
      for (const { kind, metadata } of made)
        expect(
          there.some(
            (line) => line.split('.')[0]!.startsWith(kind.toLowerCase()) && line.endsWith(`/${metadata.name}`),
          ),
          metadata.name,
        ).toBe(true)
      const names = made.map(({ metadata }) => metadata.name)
      for (const { metadata } of await objects(cluster, namespace, 'deployments'))
        expect(names).toContain(metadata.name)
      for (const { metadata } of await objects(cluster, namespace, 'jobs')) expect(names).toContain(metadata.name)
    })

    test('from the chart before, becomes this one', async (context) => {
      const git = (...args: string[]): string =>
        execFileSync('git', args, { cwd: chart, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
      let commits: string[]
      try {
        commits = git('log', '--format=%H', '--max-count=2', '--', '.').split('\n')
      } catch {
        return context.skip('no history of git')
      }
      // What is not committed is a change of its own.
      const commit = git('status', '--porcelain', '--', '.') === '' ? commits[1] : commits[0]
      if (commit === undefined) return context.skip('the history has no chart before this one')
      const archive = execFileSync('git', ['archive', commit, '.'], { cwd: chart })
      const before = mkdtempSync(join(folder, 'before-'))
      execFileSync('tar', ['--extract', '--directory', before], { input: archive })
      const namespace = 'from-before'
      await prepare(namespace)
      const inNamespace = ['--namespace', namespace]
      await helmDoes('install', release, before, ...inNamespace, ...given(['managed'], base), ...waits)
      await settled(namespace)
      await helmDoes('upgrade', release, chart, ...inNamespace, ...given(['managed'], base), ...waits)
      await settled(namespace)
      expect(await warnings(namespace)).toEqual([])
      await helmDoes('rollback', release, '1', ...inNamespace, ...waits)
      await settled(namespace)
    })

    test('to an image whose first new pod is never ready, goes on with the old pods', async () => {
      const namespace = 'broken-image'
      const before = await install(namespace)
      fates.push(({ metadata, spec }) =>
        metadata.namespace === namespace && spec.containers[0].image.endsWith(':broken')
          ? { unready: true }
          : undefined,
      )
      const values = given(['managed'], [...base, 'image.tag="broken"'])
      const { code } = await helm(
        'upgrade',
        release,
        chart,
        '--namespace',
        namespace,
        ...values,
        '--wait',
        '--timeout',
        '5s',
      )
      expect(code).not.toBe(0)
      const sinks = (pods: Resource[]) => ofComponent(pods, 'label-sink')
      await until(async () => {
        const now = sinks(await podsOf(namespace))
        expect(now.length).toBe(3)
        expect(uids(now)).toEqual(expect.arrayContaining(uids(sinks(before))))
      })
      fates = []
      await helmDoes('rollback', release, '1', '--namespace', namespace, ...waits)
      const after = await settled(namespace)
      expect(uids(sinks(after))).toEqual(uids(sinks(before)))
    })

    test('by scaling to 0 before an upgrade, as documents say, is scaled up by it', async () => {
      const namespace = 'to-zero'
      await install(namespace)
      const inNamespace = ['--namespace', namespace]
      await cluster.kubectl([
        'scale',
        'deployment',
        '--replicas=0',
        `--selector=app.kubernetes.io/instance=${release}`,
        ...inNamespace,
      ])
      await until(async () =>
        expect((await podsOf(namespace)).filter(({ metadata }) => !metadata.labels['job-name'])).toEqual([]),
      )
      const pods = await upgrade(namespace, ['image.tag="0.1.0-other"'])
      for (const { spec } of pods) expect(spec.containers[0].image).toBe('winnow:0.1.0-other')
      expect(ofComponent(pods, 'label-sink').length).toBe(2)
    })

    test('by an eviction, loses one pod of a workload at a time, and an unhealthy one whenever it likes', async () => {
      const namespace = 'drained'
      const pods = await install(namespace)
      const known = uids(pods)
      fates.push(({ metadata }) =>
        metadata.namespace === namespace && !known.includes(metadata.uid) ? { unready: true } : undefined,
      )
      const evict = (pod: Resource): Promise<number> =>
        cluster
          .api('POST', `/api/v1/namespaces/${namespace}/pods/${pod.metadata.name}/eviction`, {
            ...{ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod.metadata.name, namespace } },
          })
          .then(
            () => 201,
            (error: { status: number }) => error.status,
          )
      const [one, other] = ofComponent(pods, 'label-sink')
      await until(async () =>
        expect(
          (await objects(cluster, namespace, 'budgets')).every(({ status }) => status.disruptionsAllowed === 1),
        ).toBe(true),
      )
      expect(await evict(one)).toBe(201)
      let fresh: Resource
      await until(async () => {
        const now = ofComponent(await podsOf(namespace), 'label-sink')
        fresh = now.find(({ metadata }) => !known.includes(metadata.uid))
        expect([now.length, fresh?.status.phase]).toEqual([2, 'Running'])
      })
      expect(await evict(other)).toBe(429)
      expect(await evict(fresh)).toBe(201)
      fates = []
    })

    test('a Job starts again after a failure that passes and an eviction, fails for good at one that does not, and comes back as documents say', async () => {
      const namespace = 'jobs'
      const pods = await install(namespace)
      const [trainer] = ofComponent(pods, 'trainer')
      const job = async (): Promise<Resource> =>
        (await objects(cluster, namespace, 'jobs')).find(({ metadata }) => metadata.name.startsWith('winnow-trainer'))
      const exits = (uid: string, code: number): void => {
        fates.push(({ metadata }) => (metadata.uid === uid ? { exits: code } : undefined))
      }
      let present = trainer
      const replaced = async (failed: number): Promise<void> => {
        await until(async () => {
          const [next] = ofComponent(await podsOf(namespace), 'trainer').filter(
            ({ status }) => status.phase === 'Running',
          )
          expect(next?.metadata.uid).toEqual(expect.any(String))
          expect(next.metadata.uid).not.toBe(present.metadata.uid)
          expect((await job()).status).toMatchObject(failed === 0 ? { active: 1 } : { active: 1, failed })
          present = next
        })
      }
      await cluster.api('POST', `/api/v1/namespaces/${namespace}/pods/${present.metadata.name}/eviction`, {
        ...{ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: present.metadata.name, namespace } },
      })
      await replaced(0)
      expect((await job()).status.failed ?? 0).toBe(0)
      exits(present.metadata.uid, 1)
      await replaced(1)
      exits(present.metadata.uid, 3)
      await until(async () => {
        const { conditions } = (await job()).status
        expect(conditions).toContainEqual(
          expect.objectContaining({ type: 'Failed', status: 'True', reason: 'PodFailurePolicy' }),
        )
      })
      await cluster.kubectl(['delete', 'job', (await job()).metadata.name, '--namespace', namespace])
      const after = await upgrade(namespace)
      expect(ofComponent(after, 'trainer').length).toBe(1)
      fates = []
    })

    test('by the commands that documents give, is what they say', async () => {
      const namespace = 'documents'
      await prepare(namespace, ['winnow-keys'], 'pretraining-winnow-checkpoints')
      const here = mkdtempSync(join(folder, 'documents-'))
      symlinkSync(join(chart, '../..'), join(here, 'deploy'))
      for (const name of ['kafka', 'registry', 'clickhouse'])
        writeFileSync(join(here, `${name}-password`), 'a-password')
      for (const name of ['board', 'metrics']) writeFileSync(join(here, `${name}-token`), 'a-token-of-this-test')
      const storage = { checkpoints: { size: '1Gi', storageClassName: 'shared' }, models: { existingClaim: 'models' } }
      writeFileSync(join(here, 'yours.yaml'), JSON.stringify({ storage }))
      const config = await cluster.kubectl(['config', 'view', '--raw', '--output=json'])
      const { contexts, ...others } = JSON.parse(config)
      contexts[0].context.namespace = namespace
      writeFileSync(join(here, 'kubeconfig'), JSON.stringify({ ...others, contexts }))
      const exports = `export KUBECONFIG=${here}/kubeconfig PATH=${join(tools!.helm, '..')}:${cluster.programs}:$PATH\ncd ${here}\n`
      const seen: string[][] = []
      const blocks = blocksFor('containers/chart')
      for (const { text, file, line } of blocks) {
        const { code, stderr } = await cluster.run('sh', ['-eu', '-c', `${exports}${text}`])
        expect({ code, stderr }, `${file}:${line}`).toEqual({ code: 0, stderr: '' })
        const pods = await settled(namespace)
        const there = await has(cluster, namespace)
        for (const pod of pods) for (const need of needs(pod)) expect([...there], nameOf(pod)).toContain(need)
        seen.push(newOf(pods, []))
      }
      const all = [
        'board',
        'decontamination',
        'duplicates',
        'label-sink',
        'labeler-domain',
        'labeler-quality',
        'labeler-topic',
      ]
      const run = [...all.slice(0, 3), 'influence-first', ...all.slice(3), 'stations-first']
      expect(seen).toEqual([all, [...all, 'tools'], run, all, []])
      expect(await leftOf(cluster, namespace, 'pretraining')).toEqual([
        'persistentvolumeclaim/pretraining-winnow-checkpoints',
      ])
      expect(await warnings(namespace)).toEqual([])
    })

    test('removed and installed again, has its checkpoints, also by the name of their claim', async () => {
      const namespace = 'again'
      await install(namespace)
      const inNamespace = ['--namespace', namespace]
      const claim = async (): Promise<string> => {
        const found = (await objects(cluster, namespace, 'claims')).find(
          ({ metadata }) => metadata.name === 'winnow-checkpoints',
        )
        expect(found?.status.phase).toBe('Bound')
        return found.metadata.uid as string
      }
      const before = await claim()
      await helmDoes('uninstall', release, ...inNamespace, ...waits)
      expect(await claim()).toBe(before)
      await helmDoes('install', release, chart, ...inNamespace, ...given(['managed'], base), ...waits)
      await settled(namespace)
      expect(await claim()).toBe(before)
      await upgrade(namespace, ['storage.checkpoints={"existingClaim":"winnow-checkpoints"}'])
      expect(await claim()).toBe(before)
    })

    test('two whose names differ late run beside each other', async () => {
      const namespace = 'two'
      await prepare(namespace)
      const names = ['pretraining-of-a-large-model-one', 'pretraining-of-a-large-model-two']
      for (const name of names)
        await helmDoes('install', name, chart, '--namespace', namespace, ...given(['managed']), ...waits)
      const pods = await settled(namespace)
      const policies = await objects(cluster, namespace, 'policies')
      for (const name of names) {
        const own = pods.filter(({ metadata }) => metadata.labels['app.kubernetes.io/instance'] === name)
        expect(own.length).toBe(pods.length / 2)
        const selected = policies.filter(({ spec }) => selects(spec.podSelector.matchLabels, own[0].metadata.labels))
        expect(selected.length).toBe(1)
      }
      await helmDoes('uninstall', names[0]!, '--namespace', namespace, ...waits)
      const left = await settled(namespace)
      expect(left.length).toBe(pods.length / 2)
      expect(await warnings(namespace)).toEqual([])
    })
  })
})
