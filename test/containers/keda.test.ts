import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findJava } from '../../deploy/dev/java.ts'
import { asDocumentId, Document, RewardRequest, runTopics, topics } from '../../schemas/index.ts'
import { chart } from '../deploy/helm/rendered.ts'
import { helmTools } from '../deploy/helm/tools.ts'
import { blocksFor } from '../support/documents.ts'
import { startServers } from '../support/servers.ts'
import { type Cluster, definitions, missingPrograms, type Resource, startCluster } from './kubernetes/cluster.ts'
import { aggregation, kedaPrograms, startKeda } from './kubernetes/keda.ts'
import { addNode, playKubelets } from './kubernetes/node.ts'
import { type Prometheus, startPrometheus } from './kubernetes/prometheus.ts'
import { addNamespace, addSecret, leftOf, objects, until } from './kubernetes/release.ts'
import { type Held, openHeld } from './kubernetes/stations.ts'

// Scaling by lag: KEDA's operator and server of metrics, Prometheus, a broker, a control plane with its autoscaler, and winnow's stations, whose models wait
// until they are told, are real. Pods are played (kubernetes/node.ts): each group is of one process of this machine, however many pods there are.
const java = await findJava(process.env)
const lacking = [
  ...missingPrograms(process.env, ...kedaPrograms, 'prometheus'),
  ...('missing' in java ? [java.missing] : []),
  ...(definitions(process.env).some((file) => file.includes('keda.sh')) ? [] : ['crds in KUBEBUILDER_ASSETS']),
]
const { tools, missing } = lacking.length > 0 ? { tools: undefined, missing: '' } : await helmTools(process.env)
const because = lacking.length > 0 ? ` (skipped: no ${lacking.join(', no ')})` : missing

const folder = mkdtempSync(join(tmpdir(), 'winnow-keda-'))
const starting = new AsyncDisposableStack()
const [namespace, release, run] = ['scaled', 'pretraining', 'first']
const partitions = 4
const documentsPerReplica = 10
const requestsPerReplica = 5
let cluster: Cluster
let prometheus: Prometheus
let held: Held

beforeAll(async () => {
  if (tools === undefined) return
  cluster = starting.adopt(
    await startCluster(process.env, {
      'kube-apiserver': aggregation(folder),
      // It looks each 15 s otherwise.
      'kube-controller-manager': ['--horizontal-pod-autoscaler-sync-period=2s'],
    }),
    (one) => one.stop(),
  )
  for (const file of definitions(process.env)) await cluster.kubectl(['apply', '--server-side', '--filename', file])
  await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=60s', 'crd', '--all'])
  await addNode(cluster, 'node')
  starting.adopt(
    playKubelets(cluster, () => ({})),
    (one) => one.stop(),
  )
  starting.adopt(await startKeda(process.env, cluster, folder), (one) => one.stop())
  prometheus = starting.adopt(await startPrometheus(process.env, folder), (one) => one.stop())
  const servers = starting.adopt(await startServers(process.env, () => {}), (one) => one.stop())
  held = starting.adopt(await openHeld(servers, { partitions, run }), (one) => one.close())
  await prepare()
}, 400_000)
afterAll(async () => {
  await starting.disposeAsync()
  rmSync(folder, { recursive: true, force: true })
}, 120_000)

/** The namespace with the login at Prometheus, the folders, and what the documents call yours.yaml. */
async function prepare(): Promise<void> {
  await addNamespace(cluster, namespace)
  const secrets = {
    prometheus: { username: prometheus.user, password: prometheus.password },
    // KEDA reads what the variables of a pod name, and asks for no lag where it is missing.
    'winnow-metrics': { token: 'a-token-of-this-test' },
  }
  for (const [name, texts] of Object.entries(secrets)) await addSecret(cluster, namespace, name, texts)
  const keys = ['username', 'password'].map((key) => ({ parameter: key, name: 'prometheus', key }))
  await cluster.api('POST', `/apis/keda.sh/v1alpha1/namespaces/${namespace}/triggerauthentications`, {
    ...{ apiVersion: 'keda.sh/v1alpha1', kind: 'TriggerAuthentication', metadata: { name: 'prometheus' } },
    spec: { secretTargetRef: keys },
  })
  const [accessModes, storageClassName, storage] = [['ReadWriteMany'], 'by-hand', '1Gi']
  const name = 'checkpoints'
  await cluster.api('POST', '/api/v1/persistentvolumes', {
    ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name } },
    spec: {
      ...{ accessModes, storageClassName, capacity: { storage }, nfs: { server: 'files', path: '/' } },
      claimRef: { namespace, name },
    },
  })
  await cluster.api('POST', `/api/v1/namespaces/${namespace}/persistentvolumeclaims`, {
    ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name } },
    spec: { accessModes, storageClassName, resources: { requests: { storage } } },
  })
  const quickly = { enabled: true, stabilizationSeconds: 5 }
  const values = {
    config: { corpus: { partitions } },
    storage: { checkpoints: { existingClaim: name } },
    keda: { prometheusAddress: prometheus.address, authenticationRef: 'prometheus', authModes: 'basic' },
    labelers: {
      writing: {
        actors: ['quality', 'topic'],
        autoscaling: { ...quickly, max: partitions, lagRecords: documentsPerReplica },
      },
    },
    labelSink: { autoscaling: { ...quickly, min: 2, max: partitions } },
    runs: { [run]: { influence: { autoscaling: { ...quickly, lagRecords: requestsPerReplica } } } },
  }
  writeFileSync(join(folder, 'yours.yaml'), JSON.stringify(values))
  symlinkSync(join(chart, '../..'), join(folder, 'deploy'))
  const { contexts, ...others } = JSON.parse(
    await cluster.kubectl(['config', 'view', '--raw', '--flatten', '--output=json']),
  )
  contexts[0].context.namespace = namespace
  writeFileSync(join(folder, 'kubeconfig'), JSON.stringify({ ...others, contexts }))
}

/** Commands as documents give them, in the namespace. */
async function does(text: string): Promise<void> {
  const path = `${join(tools!.helm, '..')}:${cluster.programs}`
  const exports = `export KUBECONFIG=${folder}/kubeconfig PATH=${path}:$PATH\ncd ${folder}\n`
  const { code, stderr } = await cluster.run('sh', ['-eu', '-c', `${exports}${text}`])
  expect({ code, stderr }, text).toEqual({ code: 0, stderr: '' })
}
const files = '--values deploy/helm/values/managed.yaml --values yours.yaml'

const workloads = ['labeler-writing', 'label-sink', `influence-${run}`] as const
type Workload = (typeof workloads)[number]
const of = (group: string, plural: string, name: string): Promise<Resource> =>
  cluster.api('GET', `/apis/${group}/namespaces/${namespace}/${plural}/${name}`)
const fullName = (workload: Workload): string => `${release}-winnow-${workload}`
const deployment = (workload: Workload) => of('apps/v1', 'deployments', fullName(workload))
const scaled = (workload: Workload) => of('keda.sh/v1alpha1', 'scaledobjects', fullName(workload))
const autoscaler = (workload: Workload) =>
  of('autoscaling/v2', 'horizontalpodautoscalers', `keda-hpa-${fullName(workload)}`)
const conditionOf = ({ status }: Resource, type: string): Resource =>
  status.conditions?.find((condition: Resource) => condition.type === type)
/** What KEDA tells Kubernetes' autoscaler. */
async function metric(workload: Workload): Promise<number> {
  const selector = encodeURIComponent(`scaledobject.keda.sh/name=${fullName(workload)}`)
  const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/s0-prometheus?labelSelector=${selector}`
  const [{ value }] = (await cluster.api('GET', path)).items
  return Number(value)
}
async function replicas(): Promise<Record<Workload, number>> {
  const all = await Promise.all(workloads.map(async (one) => [one, (await deployment(one)).spec.replicas] as const))
  return Object.fromEntries(all) as Record<Workload, number>
}
const podsOf = async (workload: Workload): Promise<number> =>
  (await objects(cluster, namespace, 'pods')).filter(
    ({ metadata }) => metadata.labels['app.kubernetes.io/component'] === workload,
  ).length
const become = (wanted: Partial<Record<Workload, number>>, msMax?: number): Promise<void> =>
  until(async () => expect(await replicas()).toMatchObject(wanted), msMax)

const least = { 'labeler-writing': 1, 'label-sink': 2, [`influence-${run}`]: 1 } as Record<Workload, number>

/** Of processes that run: the labeler's is seen as two pods, and there is another release elsewhere. */
function scrapeAll(): void {
  const labels = (pod: string, where = namespace) => ({ namespace: where, pod, container: 'winnow' })
  const { labeler, influence } = held.urls
  prometheus.scrape([
    { url: labeler, labels: labels('labeler-1') },
    { url: labeler, labels: labels('labeler-2') },
    { url: labeler, labels: labels('labeler-1', 'elsewhere') },
    { url: influence, labels: labels('influence-1') },
  ])
}
let sent = 0
const documents = (count: number): Promise<unknown> =>
  held.send(
    topics.documents.name,
    Document,
    Array.from({ length: count }, () => {
      const docId = asDocumentId(BigInt(++sent))
      return { docId, text: `text ${docId}`, tokens: 2, meta: '{}' }
    }),
  )
const requests = (count: number): Promise<unknown> =>
  held.send(
    runTopics(run).rewardRequests.name,
    RewardRequest,
    Array.from({ length: count }, () => {
      const docId = asDocumentId(BigInt(++sent))
      const checkpoint = { checkpointPath: '/checkpoints/1', checkpointDigest: 'd' }
      return { run, round: 1, actor: 'quality', docId, text: `text ${docId}`, ...checkpoint }
    }),
  )

describe.skipIf(tools === undefined)(`scaling by lag, by KEDA${because}`, () => {
  test('before any pod has told a lag, there are the least pods that were asked for', async () => {
    await does(`helm install ${release} deploy/helm/winnow ${files}`)
    const bounds = { 'labeler-writing': [1, 4], 'label-sink': [2, 4], [`influence-${run}`]: [1, 4] } as const
    const records = { 'labeler-writing': '10', 'label-sink': '20k', [`influence-${run}`]: '5' } as const
    for (const workload of workloads)
      await until(async () => {
        const { spec } = await autoscaler(workload)
        expect([spec.minReplicas, spec.maxReplicas]).toEqual(bounds[workload as keyof typeof bounds])
        expect(spec.scaleTargetRef).toMatchObject({ kind: 'Deployment', name: fullName(workload) })
        expect(spec.behavior.scaleDown.stabilizationWindowSeconds).toBe(5)
        expect(spec.metrics).toMatchObject([
          {
            external: {
              target: { type: 'AverageValue', averageValue: records[workload as keyof typeof records] },
            },
          },
        ])
      })
    await become(least)
    for (const workload of workloads)
      await until(async () => {
        expect(conditionOf(await autoscaler(workload), 'ScalingActive')).toMatchObject({
          status: 'False',
          reason: 'FailedGetExternalMetric',
        })
      })
    expect(await replicas()).toEqual(least)
  })

  test('groups that have committed nothing have no lag, and are left as they are', async () => {
    scrapeAll()
    for (const workload of ['labeler-writing', `influence-${run}`] as const) {
      await until(async () => expect(await metric(workload)).toBe(0))
      await until(async () => expect(conditionOf(await scaled(workload), 'Ready')?.status).toBe('True'))
    }
    expect(await replicas()).toEqual(least)
  })

  test('with lag there are pods for it, of each group its own, and not more than partitions', async () => {
    // Two actors, so 70 records; 14 requests.
    await Promise.all([documents(35), requests(14)])
    await until(async () => {
      expect(await metric('labeler-writing')).toBe(70)
      expect(await metric(`influence-${run}`)).toBe(14)
    })
    const more = { ...least, 'labeler-writing': partitions, [`influence-${run}`]: 3 }
    await become(more)
    await until(async () => {
      expect(await podsOf('labeler-writing')).toBe(partitions)
      const { status } = await autoscaler('labeler-writing')
      expect(status.desiredReplicas).toBe(partitions)
      expect(conditionOf({ status }, 'ScalingLimited')).toMatchObject({ status: 'True', reason: 'TooManyReplicas' })
    })
    for (const workload of ['labeler-writing', `influence-${run}`] as const)
      expect(conditionOf(await scaled(workload), 'Ready').status).toBe('True')
    expect(await replicas()).toEqual(more)
  })

  test('an upgrade leaves the pods that there are for the lag', async () => {
    const before = await replicas()
    const seen: Record<string, number>[] = []
    let done = false
    const watched = (async () => {
      while (!done) {
        seen.push(await replicas())
        await sleep(50)
      }
    })()
    try {
      // Not with --wait, which also waits for the lag of the label sink, which nobody tells here.
      await does(`helm upgrade ${release} deploy/helm/winnow ${files} --set image.tag=0.1.0-other`)
      const names = workloads.map((one) => `deployment/${fullName(one)}`)
      for (const name of names) await does(`kubectl rollout status ${name} --timeout 60s >rollout.log`)
      await sleep(5_000)
    } finally {
      done = true
    }
    await watched
    expect(seen.length).toBeGreaterThan(10)
    for (const one of seen) expect(one).toEqual(before)
    expect((await deployment('labeler-writing')).spec.template.spec.containers[0].image).toBe('winnow:0.1.0-other')
  })

  test('without lag there are the least again', async () => {
    held.letGo()
    await until(async () => {
      expect(await metric('labeler-writing')).toBe(0)
      expect(await metric(`influence-${run}`)).toBe(0)
    })
    await become(least)
  })

  test('lag that comes by a pause of all stations waits for them, as documents say', async () => {
    held.hold()
    await Promise.all([documents(20), requests(14)])
    await become({ 'labeler-writing': partitions, [`influence-${run}`]: 3 })
    const [pause, goOn] = blocksFor('containers/keda')
    await does(pause!.text)
    const none = Object.fromEntries(workloads.map((one) => [one, 0]))
    // The lag is still known, and KEDA looks each 30 s.
    await become(none as Record<Workload, number>)
    await sleep(40_000)
    expect(await replicas()).toEqual(none)
    await does(goOn!.text)
    await become({ 'labeler-writing': partitions, 'label-sink': 2, [`influence-${run}`]: 3 }, 90_000)
    for (const { spec } of await objects(cluster, namespace, 'deployments')) expect(spec.replicas).toBeGreaterThan(0)
    held.letGo()
    await become(least, 90_000)
  })

  test('without pods, and so without a lag that is known, the least come back', async () => {
    prometheus.scrape([])
    await does(`kubectl scale deployment --replicas=0 ${workloads.map(fullName).join(' ')}`)
    await become(least, 90_000)
  })

  test('removed, it leaves nothing', async () => {
    await does(`helm uninstall ${release} --wait --timeout 90s`)
    await until(async () => expect(await leftOf(cluster, namespace, release)).toEqual([]))
    expect(await cluster.list(`/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers`)).toEqual([])
  })
})
