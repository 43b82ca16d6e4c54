import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { createWriteStream, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import { choosePorts } from '../../../deploy/dev/ports.ts'

const programs = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'] as const
type Program = (typeof programs)[number]

/** The folder of KUBEBUILDER_ASSETS, as for the operators' envtest, and those of the PATH. */
const folders = (env: NodeJS.ProcessEnv): string[] =>
  [env.KUBEBUILDER_ASSETS, ...(env.PATH ?? '').split(delimiter)].filter((folder) => folder !== undefined)

/** Where a program is, if it is there. */
export const found = (env: NodeJS.ProcessEnv, program: string): string | undefined =>
  folders(env)
    .map((folder) => join(folder, program))
    .find((file) => existsSync(file))

/** Programs of a control plane, and of these, that are not here. */
export const missingPrograms = (env: NodeJS.ProcessEnv, ...others: string[]): string[] =>
  [...programs, ...others].filter((program) => found(env, program) === undefined)

/** Definitions of the operators' resources that the chart makes: files in `crds`, beside the programs. */
export const definitions = (env: NodeJS.ProcessEnv): string[] => {
  const folder = join(env.KUBEBUILDER_ASSETS ?? '', 'crds')
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
}

export interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Something of the API, as JSON. */
// biome-ignore lint/suspicious/noExplicitAny: whatever the API server says
export type Resource = any

export interface Cluster {
  /** The folder of kubectl. */
  readonly programs: string
  /** The file by which programs reach it, as an administrator. */
  readonly kubeconfig: string
  /** Runs a program against it. Never throws: `code` says how it ended. */
  run(program: string, args: readonly string[], input?: string): Promise<Answer>
  /** kubectl's output. @throws Error with what it says */
  kubectl(args: readonly string[], input?: string): Promise<string>
  /** A request to the API server. @throws Error with its message, unless `missing` is given for a 404 */
  api(method: string, path: string, body?: object, type?: string): Promise<Resource>
  /** The items of a list. */
  list(path: string): Promise<Resource[]>
  /** Programs and folder: gone. */
  stop(): Promise<void>
}

/**
 * etcd, API server, controllers and scheduler, on loopback and free ports, with keys and data in a folder of their own. @param more arguments of these
 * programs, beside those that each cluster has. @throws Error with the end of a log
 */
export async function startCluster(
  env: NodeJS.ProcessEnv,
  more: Partial<Record<Program, readonly string[]>> = {},
): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-kubernetes-'))
  const children: ChildProcess[] = []
  const file = (name: string): string => join(folder, name)
  const start = (program: Program, args: readonly string[]): void => {
    const child = spawn(found(env, program)!, [...args, ...(more[program] ?? [])], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const log = createWriteStream(file(`${program}.log`))
    for (const stream of [child.stdout, child.stderr]) stream.pipe(log, { end: false })
    children.push(child)
  }
  const stop = async (): Promise<void> => {
    for (const child of children.reverse())
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((resolve) => child.once('exit', resolve))
        // Nothing that they keep is wanted.
        child.kill('SIGKILL')
        await ended
      }
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  const { client, peer, secure } = await choosePorts(file('ports.json'), ['client', 'peer', 'secure'])
  const token = randomUUID()
  const keys = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  writeFileSync(file('tokens.csv'), `${token},admin,admin,system:masters\n`)
  writeFileSync(file('accounts.pub'), keys.publicKey)
  writeFileSync(file('accounts.key'), keys.privateKey)
  // The API server makes it, signed by itself.
  const certificate = file('certificates/apiserver.crt')
  const reference = { name: 'test' }
  const kubeconfig = file('kubeconfig')
  writeFileSync(
    kubeconfig,
    stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      clusters: [
        { ...reference, cluster: { server: `https://127.0.0.1:${secure}`, 'certificate-authority': certificate } },
      ],
      users: [{ ...reference, user: { token } }],
      contexts: [{ ...reference, context: { cluster: 'test', user: 'test' } }],
    }),
  )
  const own = {
    ...{ PATH: env.PATH, HOME: folder, KUBECONFIG: kubeconfig, KUBECACHEDIR: file('kubectl') },
    ...{
      HELM_CACHE_HOME: file('helm/cache'),
      HELM_CONFIG_HOME: file('helm/config'),
      HELM_DATA_HOME: file('helm/data'),
    },
  }
  const run: Cluster['run'] = (program, args, input) =>
    new Promise((resolve) => {
      const options = { env: own, maxBuffer: 64 << 20, encoding: 'utf8' as const }
      const child = execFile(program, args, options, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
      )
      child.stdin!.end(input)
    })
  const api: Cluster['api'] = (method, path, body, type = 'application/json') =>
    new Promise((resolve, reject) => {
      const asked = request(
        { host: '127.0.0.1', port: secure, ca: readFileSync(certificate), method, path },
        (answer) => {
          let text = ''
          answer.setEncoding('utf8').on('data', (part: string) => (text += part))
          answer.on('end', () => {
            if (answer.statusCode! < 400) resolve(text.startsWith('{') ? JSON.parse(text) : text)
            else reject(Object.assign(new Error(`${method} ${path}: ${text}`), { status: answer.statusCode }))
          })
        },
      )
      asked.on('error', reject).setHeader('authorization', `Bearer ${token}`)
      const sent = body === undefined ? '' : JSON.stringify(body)
      // Node sends no length with a DELETE by itself.
      if (sent !== '') asked.setHeader('content-type', type).setHeader('content-length', Buffer.byteLength(sent))
      asked.end(sent)
    })
  const cluster: Cluster = {
    programs: dirname(found(env, 'kubectl')!),
    kubeconfig,
    run,
    api,
    list: async (path) => (await api('GET', path)).items,
    kubectl: async (args, input) => {
      const { code, stdout, stderr } = await run(found(env, 'kubectl')!, args, input)
      if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}${stdout}`)
      return stdout
    },
    stop,
  }
  const answers = async (program: Program, asked: () => Promise<unknown>): Promise<void> => {
    const late = AbortSignal.timeout(120_000)
    for (;;) {
      const error = await asked().then(
        () => undefined,
        (error: Error) => error,
      )
      if (error === undefined) return
      if (late.aborted || children.some(({ exitCode }) => exitCode !== null)) {
        const log = readFileSync(file(`${program}.log`), 'utf8').slice(-3_000)
        throw new Error(`${program} does not answer (${error.message}):\n${log}`)
      }
      await sleep(200)
    }
  }
  try {
    const local = (port: number): string => `http://127.0.0.1:${port}`
    start('etcd', [
      ...['--data-dir', file('etcd'), '--unsafe-no-fsync', '--log-level', 'error'],
      ...['--listen-client-urls', local(client), '--advertise-client-urls', local(client)],
      ...['--listen-peer-urls', local(peer), '--initial-advertise-peer-urls', local(peer)],
      ...['--initial-cluster', `default=${local(peer)}`],
    ])
    await answers('etcd', async () => {
      if (!(await fetch(`${local(client)}/health`)).ok) throw new Error('not healthy')
    })
    start('kube-apiserver', [
      ...[`--etcd-servers=${local(client)}`, `--cert-dir=${file('certificates')}`, `--secure-port=${secure}`],
      ...['--bind-address=127.0.0.1', '--advertise-address=127.0.0.1', '--endpoint-reconciler-type=none'],
      ...[`--token-auth-file=${file('tokens.csv')}`, '--authorization-mode=RBAC'],
      ...['--service-cluster-ip-range=10.0.0.0/16', '--service-account-issuer=https://kubernetes.default.svc'],
      `--service-account-key-file=${file('accounts.pub')}`,
      `--service-account-signing-key-file=${file('accounts.key')}`,
      // No names of nodes are resolved here.
      '--kubelet-preferred-address-types=InternalIP',
    ])
    await answers('kube-apiserver', () => api('GET', '/readyz'))
    start('kube-controller-manager', [
      ...[`--kubeconfig=${kubeconfig}`, '--secure-port=0', '--leader-elect=false', '--use-service-account-credentials'],
      ...[`--service-account-private-key-file=${file('accounts.key')}`, `--root-ca-file=${certificate}`],
      // No kubelet reports here (node.ts).
      '--node-monitor-grace-period=24h',
    ])
    start('kube-scheduler', [`--kubeconfig=${kubeconfig}`, '--secure-port=0', '--leader-elect=false'])
    await answers('kube-controller-manager', () => api('GET', '/api/v1/namespaces/default/serviceaccounts/default'))
    return cluster
  } catch (error) {
    await stop()
    throw error
  }
}
