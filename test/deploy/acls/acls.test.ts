import { expect, test } from 'vitest'
import { commandOf, permissionsOf, serviceNames } from '../../../deploy/acls/acls.ts'
import { dataflow, edgeStations } from '../../../topologies/dataflow.ts'
import { tinyRun } from '../../topologies/loop.ts'

const run = tinyRun()
const topicsOf = (service: string, operation: string, actor?: string) =>
  permissionsOf(service, { run: run.name, ...(actor !== undefined && { actor }) })
    .filter((one) => one.kind === 'topic' && one.operation === operation)
    .map(({ name, prefixed }) => ({ name, prefixed }))

const stations = [
  ...dataflow(run),
  ...edgeStations(run).map((station) => ({ ...station, restoreFrom: [] as readonly string[] })),
]

test.each(stations)('$name may read and write what the dataflow says, and write nothing else', (station) => {
  const service = station.kind
  const actor = 'actor' in station ? station.actor : undefined
  const covers = (granted: { name: string; prefixed: boolean }[], topic: string) =>
    granted.some(({ name, prefixed }) => (prefixed ? topic.startsWith(name) : topic === name))
  for (const topic of [...station.reads, ...station.restoreFrom])
    expect(covers(topicsOf(service, 'Read', actor), topic), topic).toBe(true)
  const written = topicsOf(service, 'Write', actor)
  for (const topic of station.writes) expect(covers(written, topic), topic).toBe(true)
  // A station on Kafka keeps what it cannot read in dead letters, and writes down what is gone, which the dataflow does not show.
  const allowed = new Set<string>([...station.writes, 'winnow.dead-letters', 'winnow.gaps'])
  expect(written.filter(({ name, prefixed }) => prefixed || !allowed.has(name))).toEqual([])
})

test('no service but the admin creates, alters or deletes', () => {
  for (const service of serviceNames.filter((name) => name !== 'admin')) {
    const operations = permissionsOf(service, { run: 'r', actor: 'a' }).map(({ operation }) => operation)
    expect(operations.filter((one) => ['Create', 'Alter', 'AlterConfigs', 'Delete'].includes(one))).toEqual([])
  }
})

test('each permission is printed as a command of Kafka’s own tool', () => {
  const [, , read] = permissionsOf('labeler', { actor: 'topic' })
  expect(commandOf('User:x', read!)).toBe(
    `kafka-acls.sh --bootstrap-server "$BROKERS" --add --allow-principal 'User:x' --operation Read --topic 'winnow.documents'`,
  )
})

test('a service that belongs to an actor or a run must be given its name', () => {
  expect(() => permissionsOf('labeler', {})).toThrow(/permissions of labeler are for one actor/)
  expect(() => permissionsOf('console', {})).toThrow(/permissions of console are for one run/)
  expect(() => permissionsOf('nobody', {})).toThrow(/there is no service nobody/)
})
