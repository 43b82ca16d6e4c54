import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { chart, manifestsOf, ofKind, selects } from '../deploy/helm/rendered.ts'
import { blocksFor } from '../support/documents.ts'
import {
  base,
  because,
  cluster,
  folder,
  given,
  helmDoes,
  install,
  nameOf,
  newOf,
  ofComponent,
  operators,
  prepare,
  release,
  secrets,
  settled,
  tools,
  upgrade,
  useControlPlane,
  waits,
  warnings,
  withoutOperators,
} from './kubernetes/chart-world.ts'
import type { Resource } from './kubernetes/cluster.ts'
import { has, leftOf, needs, objects, until } from './kubernetes/release.ts'

// What the chart installs on a control plane of Kubernetes (kubernetes/chart-world.ts); how it is changed there is chart-changed.test.ts.
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

useControlPlane()

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

  test('by the commands that documents give, is what they say', async () => {
    const namespace = 'documents'
    await prepare(namespace, ['winnow-keys'], 'pretraining-winnow-checkpoints')
    const here = join(folder, 'documents')
    mkdirSync(here)
    symlinkSync(join(chart, '../..'), join(here, 'deploy'))
    for (const name of ['kafka', 'registry', 'clickhouse']) writeFileSync(join(here, `${name}-password`), 'a-password')
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
