import { readersOf } from '../runs/lag.ts'
import type { Kafka } from '../runtime/kafka/port.ts'
import type { FollowedRun } from './model.ts'
import { NotFound } from './requests.ts'
import { isOfStation } from './stations.ts'

/**
 * A station of a run with who is connected as it.
 * @param evalSets the version of the recorded evaluation sets; undefined: there are none
 */
export async function describeStation(
  kafka: Pick<Kafka, 'consumerGroups'>,
  { config, model }: FollowedRun,
  name: string,
  evalSets: string | undefined,
) {
  const described = model.info.stations.find((station) => station.name === name)
  if (described === undefined)
    throw new NotFound(
      `run ${config.name} has no station ${name}. Stations: ${model.info.stations.map((one) => one.name).join(', ')}.`,
    )
  const reader = readersOf({ runs: [config], evalSets }).find(({ station }) => station === name)
  if (reader === undefined || reader.reads.length === 0) return { ...described, group: null, members: [] }
  const groups = (await kafka.consumerGroups(reader.group)).filter(isOfStation(reader))
  const members = groups.flatMap(({ groupId, state, members: all }) =>
    all.map(({ client, host, assigned }) => ({ group: groupId, state, client, host, assigned })),
  )
  return { ...described, group: reader.group, members }
}
