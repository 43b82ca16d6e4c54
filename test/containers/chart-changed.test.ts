import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { chart, manifestsOf, ofKind } from '../deploy/helm/rendered.ts'
import {
  bare,
  base,
  because,
  cluster,
  fates,
  folder,
  given,
  helm,
  helmDoes,
  install,
  newOf,
  ofComponent,
  podsOf,
  prepare,
  release,
  runs,
  settled,
  tools,
  uids,
  upgrade,
  useControlPlane,
  waits,
  warnings,
} from './kubernetes/chart-world.ts'
import type { Resource } from './kubernetes/cluster.ts'
import { leftOf, objects, until } from './kubernetes/release.ts'

// What changes of a release do on a control plane of Kubernetes (kubernetes/chart-world.ts).
useControlPlane()

describe.skipIf(tools === undefined)(
  `a release of the chart on a control plane of Kubernetes that is changed${because}`,
  () => {
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
      const before = join(folder, 'before')
      mkdirSync(before)
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
      fates.length = 0
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
      fates.length = 0
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
      fates.length = 0
    })
  },
)
