import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startChild } from '../../../deploy/dev/child.ts'
import { choosePorts } from '../../../deploy/dev/ports.ts'
import { type Cluster, found } from './cluster.ts'
import { until } from './release.ts'

/** What it takes beside a cluster. */
export const kedaPrograms = ['keda-operator', 'keda-adapter', 'openssl'] as const

const namespace = 'keda'
const service = 'keda-metrics-apiserver'

/** A certificate that signs itself, for an address and names of this machine. */
function certify(folder: string, name: string, ...names: string[]): { key: string; certificate: string } {
  mkdirSync(folder, { recursive: true })
  const [key, certificate] = [join(folder, 'tls.key'), join(folder, 'tls.crt')]
  const alternatives = ['IP:127.0.0.1', ...names.map((one) => `DNS:${one}`)].join()
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`]
  execFileSync(
    'openssl',
    [...request, '-addext', `subjectAltName=${alternatives}`, '-keyout', key, '-out', certificate],
    { stdio: 'ignore' },
  )
  return { key, certificate }
}

/** What an API server is given so that it can pass requests on to further ones, as those for KEDA's metrics. */
export function aggregation(folder: string): string[] {
  const { key, certificate } = certify(join(folder, 'front-proxy'), 'front-proxy')
  return [
    ...[`--requestheader-client-ca-file=${certificate}`, '--requestheader-username-headers=X-Remote-User'],
    ...['--requestheader-group-headers=X-Remote-Group', '--requestheader-extra-headers-prefix=X-Remote-Extra-'],
    ...[`--proxy-client-cert-file=${certificate}`, `--proxy-client-key-file=${key}`],
  ]
}

/**
 * KEDA's operator and its server of metrics, as processes of this machine with the rights of an administrator; resolves when the cluster serves its metrics.
 * @param cluster whose API server has what `aggregation` gives. @throws Error with the ends of their logs
 */
export async function startKeda(
  env: NodeJS.ProcessEnv,
  cluster: Cluster,
  folder: string,
): Promise<{ stop(): Promise<void> }> {
  const own = join(folder, 'keda')
  const { key, certificate } = certify(own, 'keda', 'localhost', `${service}.${namespace}.svc`)
  const ca = readFileSync(certificate)
  execFileSync('cp', [certificate, join(own, 'ca.crt')])
  const ports = await choosePorts(join(own, 'ports.json'), ['health', 'metrics', 'values', 'secure', 'ownMetrics'])
  const variables = {
    ...{ PATH: env.PATH, HOME: own, KUBECONFIG: cluster.kubeconfig, WATCH_NAMESPACE: '' },
    ...{ POD_NAMESPACE: namespace, KEDA_CLUSTER_OBJECT_NAMESPACE: namespace },
  }
  const start = (program: string, ...args: string[]) =>
    startChild(program, [found(env, program)!, ...args], join(own, `${program}.log`), own, variables)
  const at = (port: number | undefined): string => `127.0.0.1:${port}`
  await cluster.api('POST', '/api/v1/namespaces', {
    ...{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  })
  await using starting = new AsyncDisposableStack()
  const operator = start(
    'keda-operator',
    ...[`--cert-dir=${own}`, `--metrics-service-bind-address=${at(ports.values)}`, '--zap-encoder=console'],
    ...[`--health-probe-bind-address=${at(ports.health)}`, `--metrics-bind-address=${at(ports.metrics)}`],
  )
  starting.defer(() => operator.stop().then(() => undefined))
  const adapter = start(
    'keda-adapter',
    ...[`--metrics-service-address=${at(ports.values)}`, `--cert-dir=${own}`, `--client-ca-file=${certificate}`],
    ...[`--tls-cert-file=${certificate}`, `--tls-private-key-file=${key}`, `--port=${ports.ownMetrics}`],
    ...['--bind-address=127.0.0.1', `--secure-port=${ports.secure}`],
    ...['authentication', 'authorization', 'lister'].map((who) => `--${who}-kubeconfig=${cluster.kubeconfig}`),
  )
  starting.defer(() => adapter.stop().then(() => undefined))
  // Nothing forwards a Service's address here; one that is only a name is gone to as it stands.
  await cluster.api('POST', `/api/v1/namespaces/${namespace}/services`, {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: service } },
    spec: { type: 'ExternalName', externalName: 'localhost' },
  })
  const [group, version] = ['external.metrics.k8s.io', 'v1beta1']
  const registration = '/apis/apiregistration.k8s.io/v1/apiservices'
  await cluster.api('POST', registration, {
    ...{ apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService', metadata: { name: `${version}.${group}` } },
    spec: {
      ...{ group, version, groupPriorityMinimum: 100, versionPriority: 100, caBundle: ca.toString('base64') },
      service: { namespace, name: service, port: ports.secure },
    },
  })
  try {
    await until(async () => {
      for (const child of [operator, adapter]) if (child.hasEnded()) throw new Error(`${child.name} has ended`)
      if (!(await fetch(`http://${at(ports.health)}/readyz`)).ok) throw new Error('the operator is not ready')
      const { status } = await cluster.api('GET', `${registration}/${version}.${group}`)
      const available = status.conditions?.find(({ type }: { type: string }) => type === 'Available')
      if (available?.status !== 'True') throw new Error(`its metrics are not served: ${available?.message}`)
    })
  } catch (error) {
    const logs = [operator, adapter].map(({ logFile }) => readFileSync(logFile, 'utf8').slice(-2_000))
    throw new Error([(error as Error).message, ...logs].join('\n'))
  }
  const running = starting.move()
  return { stop: () => running.disposeAsync() }
}
