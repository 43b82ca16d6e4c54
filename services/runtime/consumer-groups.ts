import { randomUUID } from 'node:crypto'
import type { StationKind } from '../../topologies/node.ts'
import { WinnowError } from './errors.ts'

/** The name of a consumer group or transactional id: `winnow.`, then the run's name if it belongs to a run. */
export const groupNamed = (reader: string, run?: string): string =>
  ['winnow', run, reader.replaceAll(' ', '-')].filter((part) => part !== undefined).join('.')

/** A consumer group of one member, for readers that need every partition. Its offsets vanish with its member. */
export const ephemeralGroup = (groupId: string): string => `${groupId}.${randomUUID()}`

/** Whether a group is this one, or an ephemeral one whose name begins with it. */
export const isOfGroup = (groupId: string, group: string): boolean =>
  groupId === group || groupId.startsWith(`${group}.`)

export interface GroupOwner {
  /** Name of the run; not needed for the stations of the corpus. */
  readonly run?: string
  /** Versions of the labelers, by actor; of the evaluation sets as `eval-sets`, of sketches as `sketches`. */
  readonly versions?: Readonly<Record<string, string>>
}

/**
 * The consumer group of a station; if each instance needs every partition, they are in ephemeral groups whose names begin with it. Deployed
 * systems keep their offsets under these names: they must never change.
 */
export function consumerGroupOf(station: StationKind, { run, versions = {} }: GroupOwner): string {
  switch (station.kind) {
    case 'ingest':
    case 'label-sink':
      return groupNamed(station.kind)
    case 'labeler':
      // Another version gives other labels: every document is labelled again, and the old labels are kept.
      return groupNamed(`labeler ${station.actor} ${known(versions[station.actor], `version of ${station.actor}`)}`)
    case 'decontamination':
      // Other sets find other documents: every document is compared again.
      return groupNamed(`decontamination ${known(versions['eval-sets'], 'version of the evaluation sets')}`)
    case 'duplicates':
      return groupNamed(`duplicates ${known(versions.sketches, 'version of the sketches')}`)
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
