import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Resource } from './kubernetes/cluster.ts'
import {
  addRows,
  atHome,
  boardToken,
  changeTo,
  cluster,
  completed,
  documents,
  exec,
  exitOf,
  folder,
  helm,
  inNamespace,
  installed,
  jobOf,
  keys,
  kubelet,
  labelled,
  logOf,
  namespace,
  nothingWrong,
  patient,
  podsOf,
  release,
  saidBy,
  servers,
  settled,
  useNode,
  winnow,
  without,
} from './kubernetes/node-world.ts'
import { objects, until } from './kubernetes/release.ts'

useNode()

describe.skipIf(without() !== '')(`the chart on a node of Kubernetes${without()}`, () => {
  test('installed, every pod becomes ready by its probes, the Job of ingest ends complete, and every document is labelled', async () => {
    await installed()
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
    expect(await Promise.all(pods.flat().map((pod) => exitOf(pod)))).toEqual([0, 0, 0, 0])
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
    await nothingWrong()
  })

  test('a folder is watched: what arrives is ingested, each row once, also by the pod after one whose node was drained', async () => {
    const there = await documents()
    addRows('arriving/fourth.jsonl', 10_000, 200)
    await changeTo({ ingest: { mode: 'watch', paths: ['/corpus/arriving'] } })
    await settled()
    await labelled(there + 200)
    const watching = async (): Promise<Resource> => {
      const running = (await podsOf('ingest')).filter(({ status }) => status.phase === 'Running')
      expect(running).toHaveLength(1)
      return running[0]
    }
    const before = await watching()
    addRows('arriving/fifth.jsonl', 11_000, 5_000)
    await until(async () => expect(await documents()).toBeGreaterThan(there + 200), patient)
    const only = `--pod-selector=app.kubernetes.io/component=${before.metadata.labels['app.kubernetes.io/component']}`
    const drain = () => cluster.kubectl(['drain', kubelet.node, only, '--delete-emptydir-data', '--timeout=120s'])
    expect(await exitOf(before, drain)).toBe(0)
    addRows('arriving/below/sixth.jsonl', 16_000, 100)
    await cluster.kubectl(['uncordon', kubelet.node])
    await settled()
    await labelled(there + 5_300)
    const after = await watching()
    expect(after.metadata.uid).not.toBe(before.metadata.uid)
    expect(after.status.containerStatuses[0].restartCount).toBe(0)
    await saidBy(after, /sixth\.jsonl: 100 documents/)
    // It looks at what the first pod has ingested, and writes nothing of it again.
    await saidBy(after, /fourth\.jsonl: already ingested, 200 documents/)
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

  test('a pod that writes more than it may is evicted, and another takes its place', async () => {
    const [pod] = await podsOf('decontamination')
    await exec('decontamination', 'sh', '-c', 'head -c 100000000 /dev/zero > /tmp/x')
    await until(async () => {
      const field = `involvedObject.uid=${pod.metadata.uid},reason=Evicted`
      const path = `/api/v1/namespaces/${namespace}/events?fieldSelector=${encodeURIComponent(field)}`
      const { items } = await cluster.api('GET', path)
      expect(items.map(({ message }: Resource) => message).join()).toContain('scratch')
      const others = (await podsOf('decontamination')).filter(({ metadata }) => metadata.uid !== pod.metadata.uid)
      expect(others.map(({ status }) => status.containerStatuses?.[0].ready)).toEqual([true])
    }, patient)
    await settled()
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
