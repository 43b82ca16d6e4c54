import { allRecords, type Gap, type LogPosition, type TopicOffset } from '../../schemas/index.ts'
import { gapsOf } from '../../services/runs/gaps.ts'
import { findLogTrouble, type LogTrouble } from '../../services/runs/log-trouble.ts'
import { createCodec } from '../../services/runtime/codec.ts'
import { recordedGaps } from '../../services/runtime/gaps.ts'
import { committedPlaces } from '../../services/runtime/kafka/admin.ts'
import type { Connection } from '../../services/runtime/kafka/connection.ts'
import { holeInWords } from '../../services/runtime/kafka/hole.ts'
import { epochEnd, logsOf, read } from '../../services/runtime/kafka/reader.ts'
import { recordedPositions } from '../../services/runtime/log-positions.ts'
import type { RegistryClient } from '../../services/runtime/registry.ts'
import { within } from '../../services/runtime/within.ts'
import { type Finding, ok, problem, warning } from './finding.ts'

interface Recorded {
  readonly gaps: readonly Gap[]
  readonly positions: readonly LogPosition[]
}

/**
 * Whether the logs still have what stations have not read, are those that they have read, and give it to them. @param waitMs for the registry,
 * which is told by its own check if it does not answer
 * @param covered the offsets up to which ClickHouse has what the log had; undefined if it does not say
 */
export async function checkLogs(
  connection: Connection,
  labelers: ReadonlyMap<string, string>,
  registry: RegistryClient,
  waitMs: number,
  covered: readonly TopicOffset[] | undefined,
): Promise<Finding[]> {
  const kafka = {
    logsOf: (topic: string) => logsOf(connection, topic),
    committedPlaces: (groupId: string, topic: string) => committedPlaces(connection, groupId, topic),
    epochEnd: (...asked: [topic: string, partition: number, leaderEpoch: number]) => epochEnd(connection, ...asked),
    topicNames: async () => await (await connection.admin()).listTopics(),
  }
  const asking = recordedIn(connection, registry)
  const recorded = await within(waitMs, asking, () => new Error('late')).catch(() => ({ gaps: [], positions: [] }))
  return judgeLogs(await findLogTrouble(kafka, { labelers, runs: [] }, recorded.positions, covered), recorded.gaps)
}

/** What stations have recorded of the logs; nothing is registered for reading it. */
async function recordedIn(connection: Connection, registry: RegistryClient): Promise<Recorded> {
  let idNext = 2 ** 32 - allRecords.length
  const readOnly: RegistryClient = {
    getId: (...asked) => registry.getId(...asked),
    register: async () => idNext++,
    updateCompatibility: async (_subject, level) => level,
    getBySubjectAndId: (...asked) => registry.getBySubjectAndId(...asked),
  }
  const codec = await createCodec({ registry: readOnly, records: allRecords })
  const kafka = { read: (topic: string, from?: readonly number[]) => read(connection, topic, from) }
  return { gaps: await recordedGaps(kafka, codec), positions: await recordedPositions(kafka, codec) }
}

export function judgeLogs({ holes, heldBack, beheaded }: LogTrouble, recorded: readonly Gap[] = []): Finding[] {
  const gaps = gapsOf(recorded, holes)
    .filter(({ accepted }) => !accepted)
    .map((gap) =>
      problem('logs', `${holeInWords(gap)}; ${gap.station} does not go on`, 'winnow gaps list; winnow gaps accept'),
    )
  const held = heldBack.map(({ topic, partition, stable, end }) =>
    warning(
      'logs',
      `${topic}[${partition}]: a transaction that stays open at ${stable} hides ${end - stable} records from every reader`,
      'kafka-transactions.sh --bootstrap-server "$BROKERS" find-hanging names it, abort ends it; the broker does after its timeout',
    ),
  )
  const late = beheaded.map(({ topic, partition, first }) =>
    warning(
      'logs',
      `${topic}[${partition}] begins at ${first}, although it is to be kept for ever: nothing that was made of what is gone can be made again (replay, a new ClickHouse; a new labeler reads texts from ClickHouse)`,
      'What is deleted does not come back. Keep backups of ClickHouse, and see who deletes: retention.ms, retention.bytes, kafka-delete-records.sh',
    ),
  )
  const found = [...gaps, ...held, ...late]
  return found.length === 0 ? [ok('logs', 'nothing is missing, nothing is held back')] : found
}
