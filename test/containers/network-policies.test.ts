import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Resource } from './kubernetes/cluster.ts'
import {
  boardToken,
  changeTo,
  cluster,
  installed,
  metricsToken,
  namespace,
  patient,
  podsOf,
  servers,
  settled,
  useNode,
  without,
} from './kubernetes/node-world.ts'
import { missingForPolicies } from './kubernetes/policies.ts'
import { addNamespace, until } from './kubernetes/release.ts'

// The chart's network policy, kept by kube-router's firewall.
const because = without(...missingForPolicies(process.env))
useNode({ policies: true })

interface Place {
  readonly namespace: string
  readonly pod: string
}
const monitoring: Place = { namespace: 'monitoring', pod: 'scraper' }
const stranger: Place = { namespace: 'elsewhere', pod: 'stranger' }
const neighbour: Place = { namespace, pod: 'neighbour' }
const others = [monitoring, stranger, neighbour]
/** Of what the pods that are not winnow's listen at. */
const otherPort = 8000

/** Listeners on the node: at the port of DNS, and at one that nothing lets winnow reach. */
const listeners: Server[] = []
let closedPort = 0
const node = (): string => new URL(servers.registryUrl).hostname

beforeAll(async () => {
  if (because !== '') return
  for (const port of [53, 0]) {
    const server = createServer((socket) => socket.end())
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, node(), resolve))
    listeners.push(server)
  }
  closedPort = (listeners[1]!.address() as { port: number }).port
  for (const { namespace } of [monitoring, stranger]) await addNamespace(cluster, namespace)
  for (const { namespace, pod } of others) await addPod(namespace, pod)
}, 300_000)
afterAll(() => {
  for (const server of listeners) server.close()
})

/** A pod that is none of winnow's, and listens. */
async function addPod(namespace: string, name: string): Promise<void> {
  const script = `process.on('SIGTERM', () => process.exit(0)); require('node:http').createServer((_, answer) => answer.end()).listen(${otherPort})`
  await cluster.api('POST', `/api/v1/namespaces/${namespace}/pods`, {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name } },
    spec: {
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          ...{ name: 'node', image: 'winnow:0.1.0', imagePullPolicy: 'Never', command: ['node', '-e', script] },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  })
  await cluster.kubectl(['wait', '--for=condition=Ready', '--timeout=120s', `pod/${name}`, '--namespace', namespace])
}

const addressOf = async ({ namespace, pod }: Place): Promise<string> =>
  (await cluster.api('GET', `/api/v1/namespaces/${namespace}/pods/${pod}`)).status.podIP
const placeOf = ({ metadata }: Resource): Place => ({ namespace: metadata.namespace, pod: metadata.name })
const one = async (component: string): Promise<Place> => placeOf((await podsOf(component))[0])

const inPod = async ({ namespace, pod }: Place, script: string): Promise<string> =>
  (await cluster.kubectl(['exec', pod, '--namespace', namespace, '--', 'node', '-e', script])).trim()
/** What connections come to, by `ADDRESS:PORT`: `open`, or why it is not. */
const connections = async (from: Place, to: readonly string[]): Promise<string[]> =>
  JSON.parse(
    await inPod(
      from,
      `const connect = (to) => new Promise((resolve) => {
         const [host, port] = to.split(':')
         const socket = require('node:net').connect({ host, port, timeout: 3000 })
         const end = (what) => { resolve(what); socket.destroy() }
         socket.on('connect', () => end('open')).on('timeout', () => end('silence')).on('error', ({ code }) => end(code))
       })
       Promise.all(${JSON.stringify(to)}.map(connect)).then((all) => console.log(JSON.stringify(all)))`,
    ),
  )
const connection = async (from: Place, address: string, port: number): Promise<string> =>
  (await connections(from, [`${address}:${port}`]))[0]!
const shut = /^(silence|ECONNREFUSED|EHOSTUNREACH)$/
/** The status of an answer, and what it begins with. */
const answer = (from: Place, url: string, token: string): Promise<string> =>
  inPod(
    from,
    `fetch('${url}', { headers: { authorization: 'Bearer ${token}' }, signal: AbortSignal.timeout(5000) })
       .then(async (answer) => console.log(answer.status, (await answer.text()).slice(0, 100)), () => console.log('none'))`,
  )

const ports = { board: 7077, 'label-sink': 9464, 'labeler-quality': 9464, duplicates: 9464, decontamination: 9464 }
/** Whether a pod reaches those of winnow, by component. */
async function reached(from: Place): Promise<Record<string, string>> {
  const to = Object.entries(ports).map(async ([component, port]) => `${await addressOf(await one(component))}:${port}`)
  const all = await connections(from, await Promise.all(to))
  return Object.fromEntries(
    Object.keys(ports).map((component, i) => [component, shut.test(all[i]!) ? 'shut' : all[i]!]),
  )
}
const everything = (what: string) => Object.fromEntries(Object.keys(ports).map((component) => [component, what]))
/** Rules follow what they are told a moment later. */
const soon = (judge: () => Promise<void>): Promise<void> => until(judge, patient)

const fromMonitoring = [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': monitoring.namespace } } }]

describe.skipIf(because !== '')(`the chart's network policy, kept${because}`, () => {
  test('installed, its pods reach the broker, the registry and ClickHouse, their probes are answered, and every document is labelled', async () => {
    await installed()
  })

  test('pods of its namespace scrape metrics and open the board, and those of others reach no port of winnow', async () => {
    await soon(async () => {
      expect(await reached(neighbour)).toEqual(everything('open'))
      expect(await reached(stranger)).toEqual(everything('shut'))
      expect(await reached(monitoring)).toEqual(everything('shut'))
    })
    const metrics = `http://${await addressOf(await one('label-sink'))}:9464/metrics`
    expect(await answer(neighbour, metrics, metricsToken)).toMatch(/^200 # /)
    const board = `http://${await addressOf(await one('board'))}:7077/api/snapshot`
    expect(await answer(neighbour, board, boardToken)).toMatch(/^200 /)
    expect(await answer(stranger, board, boardToken)).toBe('none')
  })

  test('where peers are named, metrics are scraped from there alone, and the board stays as it was', async () => {
    await changeTo({ networkPolicy: { metricsFrom: fromMonitoring } })
    await soon(async () => {
      expect(await reached(monitoring)).toEqual({ ...everything('open'), board: 'shut' })
      expect(await reached(neighbour)).toEqual({ ...everything('shut'), board: 'open' })
      expect(await reached(stranger)).toEqual(everything('shut'))
    })
    const metrics = `http://${await addressOf(await one('labeler-quality'))}:9464/metrics`
    expect(await answer(monitoring, metrics, metricsToken)).toMatch(/^200 # /)
    await settled()
  })

  test('its pods reach DNS, and neither another port of the node nor a pod, until a rule lets them out', async () => {
    const tools = await one('tools')
    const address = await addressOf(stranger)
    expect(await connection(tools, node(), 53)).toBe('open')
    expect(await connection(tools, node(), closedPort)).toMatch(shut)
    expect(await connection(tools, address, otherPort)).toMatch(shut)
    // What is shut to winnow is there. (From winnow to winnow proves nothing: kube-router takes what the policy lets in for what it lets out.)
    expect(await connection(monitoring, node(), closedPort)).toBe('open')
    expect(await connection(monitoring, address, otherPort)).toBe('open')
    const to = [{ ipBlock: { cidr: `${node()}/32` } }]
    await changeTo({ networkPolicy: { extraEgress: [{ ports: [{ port: closedPort }], to }] } })
    await soon(async () => expect(await connection(await one('tools'), node(), closedPort)).toBe('open'))
    expect(await connection(await one('tools'), address, otherPort)).toMatch(shut)
  })

  test('without it everything is open', async () => {
    await changeTo({ networkPolicy: { enabled: false } })
    await soon(async () => {
      expect(await reached(stranger)).toEqual(everything('open'))
      expect(await connection(await one('tools'), await addressOf(stranger), otherPort)).toBe('open')
    })
  })
})
