import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Child, startChild } from '../../../deploy/dev/child.ts'

const run = promisify(execFile)
/** Where distributions put the plugins of networks. */
const pluginFolders = ['/usr/lib/cni', '/opt/cni/bin']
const plugins = pluginFolders.find((folder) => existsSync(join(folder, 'bridge')))

/** Programs that containers need. */
export const containerPrograms = ['containerd', 'containerd-shim-runc-v2', 'ctr', 'runc', 'ip', 'umount']

/** What else containers need of this machine and does not have, in words. */
export const missingForContainers = (): string[] => [
  ...(process.platform !== 'linux' ? ['Linux'] : process.getuid!() !== 0 ? ['rights of root'] : []),
  ...(plugins === undefined ? [`network plugins in ${pluginFolders.join(' or ')}`] : []),
]

export interface Containerd {
  /** Of its socket. */
  readonly endpoint: string
  /** The bridge on this machine, between its pods. */
  readonly bridge: string
  /** Of the bridge, which its pods reach. */
  readonly address: string
  /** Everything of it: containers, mounts, the bridge. Its folder stays. */
  stop(): Promise<void>
}

/**
 * containerd with state, socket and network of its own: a bridge with the first address of a private network, from which pods reach this machine and
 * nothing else. Nothing keeps the network policies of its own accord (policies.ts). `images` are archives to import. @throws Error with the end of its log
 */
export async function startContainerd(folder: string, images: readonly string[]): Promise<Containerd> {
  const socket = join(folder, 'containerd.sock')
  const bridge = `winnow${process.pid}`
  const network = await freeNetwork()
  const address = `${network}.1`
  mkdirSync(join(folder, 'cni'), { recursive: true })
  writeFileSync(
    join(folder, 'cni/bridge.conflist'),
    JSON.stringify(bridged(bridge, network, join(folder, 'addresses'))),
  )
  writeFileSync(join(folder, 'containerd.toml'), configuration(folder, socket))
  const log = join(folder, 'containerd.log')
  let child: Child | undefined
  const ctr = async (...args: string[]): Promise<string> => {
    const all = ['--address', socket, '--namespace', 'k8s.io', ...args]
    return (await run('ctr', all, { maxBuffer: 1 << 26 })).stdout
  }
  const listed = async (...args: string[]): Promise<string[]> =>
    (await ctr(...args, '--quiet')).split('\n').filter((line) => line !== '')
  const stop = async (): Promise<void> => {
    if (child !== undefined && !child.hasEnded()) {
      // With its last task a pod's shim ends.
      for (const task of await listed('tasks', 'list')) await ctr('tasks', 'delete', '--force', task).catch(() => '')
      for (const one of await listed('containers', 'list')) await ctr('containers', 'delete', one).catch(() => '')
      await child.stop()
    }
    await unmountUnder(folder)
    await run('ip', ['link', 'delete', bridge]).catch(() => undefined)
  }
  try {
    await run('ip', ['link', 'add', bridge, 'type', 'bridge'])
    await run('ip', ['address', 'add', `${address}/24`, 'dev', bridge])
    await run('ip', ['link', 'set', bridge, 'up'])
    child = startChild('containerd', ['containerd', '--config', join(folder, 'containerd.toml')], log, folder)
    const late = AbortSignal.timeout(60_000)
    while (
      !(await ctr('version').then(
        () => true,
        () => false,
      ))
    ) {
      if (late.aborted || child.hasEnded())
        throw new Error(`containerd does not answer:\n${readFileSync(log, 'utf8').slice(-3_000)}`)
      await sleep(100)
    }
    for (const image of images) await ctr('images', 'import', image)
    return { endpoint: `unix://${socket}`, bridge, address, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The first three numbers of a network that no address of this machine is in. */
async function freeNetwork(): Promise<string> {
  const { stdout } = await run('ip', ['-4', 'address'])
  for (let third = 200; third < 256; third++) if (!stdout.includes(` 10.213.${third}.`)) return `10.213.${third}`
  throw new Error('no network of 10.213.200.0 to 10.213.255.0 is free')
}

const bridged = (bridge: string, network: string, dataDir: string) => ({
  cniVersion: '1.0.0',
  name: bridge,
  plugins: [
    {
      ...{ type: 'bridge', bridge, hairpinMode: true },
      ipam: { type: 'host-local', ranges: [[{ subnet: `${network}.0/24` }]], routes: [{ dst: '0.0.0.0/0' }], dataDir },
    },
  ],
})

const configuration = (folder: string, socket: string): string => `version = 2
root = "${folder}/root"
state = "${folder}/state"
[grpc]
address = "${socket}"
[plugins."io.containerd.internal.v1.opt"]
path = "${folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "docker.io/library/pause:winnow"
netns_mounts_under_state_dir = true
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${plugins}"
conf_dir = "${folder}/cni"
`

/** What is mounted on folders in it, the last first. */
export async function unmountUnder(folder: string): Promise<void> {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4]?.replaceAll('\\040', ' ') ?? '')
    .filter((point) => point.startsWith(`${folder}/`))
  for (const point of points.reverse()) await run('umount', ['--lazy', point])
}
