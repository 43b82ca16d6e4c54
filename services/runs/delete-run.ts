import { setTimeout as sleep } from 'node:timers/promises'
import { type Run, runTopics } from '../../schemas/index.ts'
import { recordedConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { RunList } from '../host/run-list.ts'
import { groupNamed } from '../runtime/consumer-groups.ts'
import { WinnowError } from '../runtime/errors.ts'
import { forgetPositions } from '../runtime/log-positions.ts'
import { forgetRun, recordOf, setLife } from './registry.ts'

type Ports = Pick<Runtime, 'kafka' | 'codec' | 'store'>

/** Services finish their current batch first. */
const leaveMsMax = 30_000
const pollMs = 250

/**
 * Removes a run: its topics, the offsets of its consumer groups and its read counts; its checkpoints stay, as they may be of use. The record
 * goes last: after a kill, the same call completes it. Its services are told to end first. @throws WinnowError CONFIGURATION if there is no
 * such run, or shadows follow it; UNREACHABLE if one of its services does not leave
 */
export async function deleteRun({ kafka, codec, store }: Ports, name: string, waitMs = leaveMsMax): Promise<void> {
  const { unreadable, runs } = await RunList.read({ kafka, codec })
  refuseLeader(name, [...runs.values()])
  // Of one that cannot be read nothing runs here, and the version that recorded it ends what runs elsewhere.
  if (!unreadable.has(name) && isRunning(await recordOf({ kafka, codec }, name)))
    await setLife({ kafka, codec }, name, 'ended')
  await untilLeft(kafka, name, waitMs)
  const deleted = new Set(Object.values(runTopics(name)).map((topic) => topic.name))
  await kafka.deleteTopics([...deleted])
  await forgetPositions(kafka, codec, deleted)
  await kafka.deleteGroups(groupNamed('', name))
  await store.forgetReads(name)
  await forgetRun({ kafka, codec }, name)
}

/** A replay has no services; a shadow, which is a replay that goes on, has. */
const isRunning = (record: Run): boolean => record.replayOf === null || recordedConfig(record).shadowOf !== undefined

/** What a shadow reads is in the topics of the run that it follows. */
function refuseLeader(name: string, runs: readonly Run[]): void {
  const shadows = runs.filter((record) => recordedConfig(record).shadowOf === name)
  if (shadows.length === 0) return
  const names = shadows.map(({ run }) => run)
  throw new WinnowError(
    'CONFIGURATION',
    `run ${name} has shadows, which cannot be read without it: ${names.join(', ')}`,
    {
      hint: `Delete them first: winnow run delete ${names[0]}.`,
    },
  )
}

async function untilLeft(kafka: Runtime['kafka'], name: string, waitMs: number): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += pollMs) {
    const there = await kafka.consumerGroups(groupNamed('', name))
    if (there.length === 0) return
    if (waitedMs >= waitMs) {
      const who = there.map(({ groupId, members }) => `${groupId} on ${members.map(({ host }) => host).join(', ')}`)
      throw new WinnowError(
        'UNREACHABLE',
        `run ${name} has ended, but services of it are still there: ${who.join('; ')}`,
        {
          hint: 'Stop them, then delete it again: nothing of it has been removed yet.',
        },
      )
    }
    await sleep(pollMs)
  }
}
