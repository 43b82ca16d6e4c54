import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster, Resource } from './cluster.ts'

/** What the container of a pod comes to: it runs and is ready, unless said otherwise. */
export interface Fate {
  /** The code that it exits with. */
  readonly exits?: number
  /** It runs, and is not ready. */
  readonly unready?: boolean
}

const patch = 'application/merge-patch+json'
const now = (): string => new Date().toISOString().replace(/\.\d+Z/, 'Z')
const condition = (type: string, status: boolean) => ({
  type,
  status: status ? 'True' : 'False',
  lastTransitionTime: now(),
})

/** A node that the API server and the scheduler take for one, with room for all releases of a test run, and these extended resources. */
export async function addNode(
  cluster: Cluster,
  name: string,
  given: { labels?: Record<string, string>; taints?: object[]; extended?: Record<string, string> } = {},
): Promise<void> {
  const metadata = { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', ...given.labels } }
  await cluster.api('POST', '/api/v1/nodes', {
    ...{ apiVersion: 'v1', kind: 'Node', metadata },
    ...(given.taints && { spec: { taints: given.taints } }),
  })
  const room = { cpu: '6400', memory: '51200Gi', 'ephemeral-storage': '51200Gi', pods: '10000', ...given.extended }
  const heard = { reason: 'KubeletReady', message: 'ready', lastHeartbeatTime: now() }
  const status = { capacity: room, allocatable: room, conditions: [{ ...condition('Ready', true), ...heard }] }
  await cluster.api('PATCH', `/api/v1/nodes/${name}/status`, { status }, patch)
}

/**
 * Does for all nodes what a kubelet tells of pods, without running anything: those that the scheduler bound become what `fate` says, those that
 * are to end are gone at once. `stop` says what went wrong meanwhile.
 */
export function playKubelets(cluster: Cluster, fate: (pod: Resource) => Fate) {
  let stopped = false
  let address = 0
  const told = new Map<string, string>()
  const tell = async (pod: Resource): Promise<void> => {
    const { name, namespace, uid, deletionTimestamp } = pod.metadata
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`
    if (deletionTimestamp !== undefined) {
      // Ended by SIGTERM. Until a pod of a Job has failed, no other takes its place.
      if (pod.status.phase === 'Running') {
        const terminated = { exitCode: 143, startedAt: now(), finishedAt: now() }
        const ended = pod.status.containerStatuses.map((one: Resource) => ({
          ...one,
          ready: false,
          state: { terminated },
        }))
        await cluster.api('PATCH', `${path}/status`, { status: { phase: 'Failed', containerStatuses: ended } }, patch)
      }
      await cluster.api('DELETE', path, { gracePeriodSeconds: 0, preconditions: { uid } })
      return
    }
    const will = fate(pod)
    if (told.get(uid) === JSON.stringify(will) || ['Failed', 'Succeeded'].includes(pod.status.phase)) return
    const ready = will.exits === undefined && !will.unready
    const phase = will.exits === undefined ? 'Running' : will.exits === 0 ? 'Succeeded' : 'Failed'
    const times = { startedAt: now(), finishedAt: now() }
    const state = will.exits === undefined ? { running: {} } : { terminated: { exitCode: will.exits, ...times } }
    const [{ name: container, image }] = pod.spec.containers
    const ran = { name: container, image, imageID: image, ready, restartCount: 0, started: ready, state }
    const podIP = pod.status.podIP ?? `10.1.${++address >> 8}.${address & 255}`
    const conditions = ['Initialized', 'ContainersReady', 'Ready'].map((type) =>
      condition(type, ready || type === 'Initialized'),
    )
    const scheduled = pod.status.conditions.filter(({ type }: Resource) => type === 'PodScheduled')
    const status = { phase, podIP, podIPs: [{ ip: podIP }], startTime: now(), containerStatuses: [ran] }
    // Conditions of others, as of an eviction, stay: a strategic patch merges by type.
    await cluster.api(
      'PATCH',
      `${path}/status`,
      { status: { ...status, conditions: [...scheduled, ...conditions] } },
      'application/strategic-merge-patch+json',
    )
    told.set(uid, JSON.stringify(will))
  }
  const played = (async () => {
    while (!stopped) {
      for (const pod of await cluster.list('/api/v1/pods'))
        if (pod.spec.nodeName !== undefined)
          await tell(pod).catch((error: Error & { status?: number }) => {
            // Gone or changed meanwhile: the next look sees it.
            if (error.status !== 404 && error.status !== 409) throw error
          })
      await sleep(100)
    }
  })()
  let failure: Error | undefined
  played.catch((error: Error) => {
    failure = error
  })
  return {
    stop: async (): Promise<void> => {
      stopped = true
      await played.catch(() => undefined)
      if (failure !== undefined) throw failure
    },
  }
}
