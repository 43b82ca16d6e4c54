import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { startChild } from '../../../deploy/dev/child.ts'
import { choosePorts } from '../../../deploy/dev/ports.ts'
import type { Cluster } from './cluster.ts'
import { type Containerd, unmountUnder } from './containerd.ts'
import { until } from './release.ts'

export interface Kubelet {
  /** The node that it makes. */
  readonly node: string
  /** Where it has the volumes of pods. */
  readonly folder: string
  /** Ends it, after all pods. */
  stop(): Promise<void>
}

/** A kubelet that makes this machine a node of the cluster, with containers by containerd; resolves when the node is ready. @throws Error with the end of its log */
export async function startKubelet(cluster: Cluster, containerd: Containerd, folder: string): Promise<Kubelet> {
  const node = 'this-machine'
  const own = join(folder, 'kubelet')
  const groups = controlGroups(`winnow-test-${process.pid}`)
  mkdirSync(own, { recursive: true })
  const { kubelet: port } = await choosePorts(join(folder, 'kubelet-port.json'), ['kubelet'])
  writeFileSync(join(folder, 'resolv.conf'), '')
  const configuration = {
    ...{ apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration' },
    ...{ address: containerd.address, port, readOnlyPort: 0, healthzPort: 0 },
    // The API server is the only one that can reach the bridge's address, beside the pods.
    ...{ authentication: { anonymous: { enabled: true }, webhook: { enabled: false } } },
    ...{ authorization: { mode: 'AlwaysAllow' }, containerRuntimeEndpoint: containerd.endpoint },
    ...{ cgroupDriver: 'cgroupfs', cgroupRoot: `/${groups.name}`, failCgroupV1: false, failSwapOn: false },
    ...{ makeIPTablesUtilChains: false, imageGCHighThresholdPercent: 100, imageGCLowThresholdPercent: 99 },
    ...{ evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' } },
    // Not one of Kubernetes' names is asked for; without an address of a server each pod is told that there is none.
    ...{ resolvConf: join(folder, 'resolv.conf'), clusterDNS: [containerd.address] },
    ...{ podLogsDir: join(folder, 'logs'), volumePluginDir: join(folder, 'plugins'), maxPods: 60 },
    // Its own work is told more often than that of a node among thousands.
    ...{ nodeStatusUpdateFrequency: '2s', syncFrequency: '10s', serializeImagePulls: false },
  }
  writeFileSync(join(folder, 'kubelet.yaml'), stringify(configuration))
  const log = join(folder, 'kubelet.log')
  const child = startChild(
    'kubelet',
    [
      ...[join(cluster.programs, 'kubelet'), `--kubeconfig=${cluster.kubeconfig}`, `--root-dir=${own}`],
      ...[`--config=${join(folder, 'kubelet.yaml')}`, `--hostname-override=${node}`, `--cert-dir=${join(own, 'pki')}`],
      ...[`--node-ip=${containerd.address}`],
    ],
    log,
    folder,
  )
  const end = async (): Promise<void> => {
    await child.stop()
    await containerd.stop()
    await unmountUnder(own)
    groups.remove()
    removeLinks(folder)
  }
  try {
    await until(async () => {
      if (child.hasEnded()) throw new Error('the kubelet has ended')
      const { status } = await cluster.api('GET', `/api/v1/nodes/${node}`)
      const ready = status.conditions.find(({ type }: { type: string }) => type === 'Ready')
      if (ready.status !== 'True') throw new Error(ready.message)
    })
  } catch (error) {
    await end()
    throw new Error(`${(error as Error).message}:\n${readFileSync(log, 'utf8').slice(-3_000)}`)
  }
  return { node, folder: own, stop: end }
}

/** Those that a kubelet makes for readers of logs, to logs in a folder; where they are cannot be set. */
function removeLinks(folder: string): void {
  const links = '/var/log/containers'
  if (!existsSync(links)) return
  for (const name of readdirSync(links))
    if (readlinkSync(join(links, name)).startsWith(`${folder}/`)) unlinkSync(join(links, name))
}

/** A control group of this name in each hierarchy of version 1, or in the one of version 2. */
function controlGroups(name: string) {
  const root = '/sys/fs/cgroup'
  const unified = existsSync(join(root, 'cgroup.controllers'))
  const made = (unified ? [root] : readdirSync(root).map((controller) => join(root, controller))).map((folder) =>
    join(folder, name),
  )
  for (const folder of made) {
    mkdirSync(folder, { recursive: true })
    // In version 1 a group has no processors and no memory of its own accord.
    for (const file of ['cpuset.cpus', 'cpuset.mems'])
      if (!unified && existsSync(join(folder, file)))
        writeFileSync(join(folder, file), readFileSync(join(folder, '..', file)))
  }
  const removeFrom = (folder: string): void => {
    if (!existsSync(folder)) return
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) removeFrom(join(folder, entry.name))
    rmdirSync(folder)
  }
  return { name, remove: () => made.forEach(removeFrom) }
}
