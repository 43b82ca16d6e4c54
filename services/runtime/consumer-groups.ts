import { randomUUID } from 'node:crypto'
import type { StationKind } from '../../topologies/node.ts'
import { WinnowError } from './errors.ts'

/** The name of a consumer group, and of a transactional id: it begins with `winnow.`, and with the run's name where it is of one run. */
export const groupNamed = (reader: string, run?: string): string =>
  ['winnow', run, reader.replaceAll(' ', '-')].filter((part) => part !== undefined).join('.')

/** A consumer group of one member, for readers that need every partition. It vanishes with its member's offsets. */
export const ephemeralGroup = (groupId: string): string => `${groupId}.${randomUUID()}`

export interface GroupOwner {
  /** Name of the run; not needed for the stations of the corpus. */
  readonly run?: string
  /** Versions of the labelers, by actor. */
  readonly versions?: Readonly<Record<string, string>>
}

/**
 * The consumer group of a station; instances of one that needs every partition are in ephemeral groups whose names begin with it.
 * Deployed systems keep their offsets under these names: they never change.
 */
export function consumerGroupOf(station: StationKind, { run, versions = {} }: GroupOwner): string {
  switch (station.kind) {
    case 'ingest':
    case 'label-sink':
      return groupNamed(station.kind)
    case 'labeler':
      // Labels of another version are other labels: every document is labelled again, beside the old ones.
      return groupNamed(`labeler ${station.actor} ${known(versions[station.actor], `version of ${station.actor}`)}`)
    case 'actor':
      return groupNamed(`actor ${station.actor}`, known(run, 'run'))
    default:
      return groupNamed(station.kind, known(run, 'run'))
  }
}

function known(value: string | undefined, what: string): string {
  if (value === undefined) throw new WinnowError('UNEXPECTED', `a consumer group was asked for without its ${what}`)
  return value
}
