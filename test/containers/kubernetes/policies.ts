import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startChild } from '../../../deploy/dev/child.ts'
import { type Cluster, found } from './cluster.ts'
import type { Containerd } from './containerd.ts'
import type { Kubelet } from './kubelet.ts'
import { until } from './release.ts'

const run = promisify(execFile)
const programs = ['kube-router', 'iptables', 'iptables-save', 'iptables-restore', 'ipset']

// The rules are those of the whole network that the tests are in: a machine's own is none to try them in.
const isAlone = Object.keys(networkInterfaces()).every((name) => name === 'lo')

/** What network policies need to be kept and is not here, in words. */
export const missingForPolicies = (env: NodeJS.ProcessEnv): string[] => [
  ...programs.filter((program) => found(env, program) === undefined),
  ...(isAlone ? [] : ['network namespace of their own (unshare --net)']),
]

export interface Policies {
  stop(): Promise<void>
}

/** kube-router's firewall, which keeps the policies of a kubelet's pods; resolves when it has made its first rules. @throws Error with the end of its log */
export async function startPolicies(
  cluster: Cluster,
  kubelet: Kubelet,
  containerd: Containerd,
  folder: string,
): Promise<Policies> {
  // What goes from pod to pod stays within the bridge, which asks no rules of its own accord.
  await run('ip', ['link', 'set', containerd.bridge, 'type', 'bridge', 'nf_call_iptables', '1'])
  const log = join(folder, 'kube-router.log')
  const child = startChild(
    'kube-router',
    [
      ...[found(process.env, 'kube-router')!, `--kubeconfig=${cluster.kubeconfig}`],
      ...[`--hostname-override=${kubelet.node}`, '--service-cluster-ip-range=10.0.0.0/16'],
      ...['--run-firewall=true', '--run-router=false', '--run-service-proxy=false', '--run-loadbalancer=false'],
      ...['--health-port=0', '--metrics-port=0', '--v=1'],
      // Whatever goes to this port of a node is let out, whoever sends it; the broker's are others.
      '--service-node-port-range=30000-30001',
    ],
    log,
    folder,
  )
  const stop = async (): Promise<void> => void (await child.stop())
  try {
    await until(async () => {
      if (child.hasEnded()) throw new Error('kube-router has ended')
      if (!readFileSync(log, 'utf8').includes('sync iptables took')) throw new Error('kube-router made no rules')
    })
  } catch (error) {
    await stop()
    throw new Error(`${(error as Error).message}:\n${readFileSync(log, 'utf8').slice(-3_000)}`)
  }
  return { stop }
}
