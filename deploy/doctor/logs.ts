import type { TopicOffset } from '../../schemas/index.ts'
import { findLogTrouble, type LogTrouble } from '../../services/runs/log-trouble.ts'
import { committedPlaces } from '../../services/runtime/kafka/admin.ts'
import type { Connection } from '../../services/runtime/kafka/connection.ts'
import { holeInWords } from '../../services/runtime/kafka/hole.ts'
import { logsOf } from '../../services/runtime/kafka/reader.ts'
import { type Finding, ok, problem, warning } from './finding.ts'

/**
 * Whether the logs still have what the stations of the corpus have not read, and give it to them.
 * @param covered the offsets up to which ClickHouse has what the log had; undefined if it does not say
 */
export async function checkLogs(
  connection: Connection,
  labelers: ReadonlyMap<string, string>,
  covered: readonly TopicOffset[] | undefined,
): Promise<Finding[]> {
  const kafka = {
    logsOf: (topic: string) => logsOf(connection, topic),
    committedPlaces: (groupId: string, topic: string) => committedPlaces(connection, groupId, topic),
    topicNames: async () => await (await connection.admin()).listTopics(),
  }
  return judgeLogs(await findLogTrouble(kafka, { labelers, runs: [] }, covered))
}

export function judgeLogs({ holes, heldBack, beheaded }: LogTrouble): Finding[] {
  const gaps = holes.map((hole) =>
    problem('logs', `${holeInWords(hole)}; ${hole.station} does not go on`, 'winnow gaps list; winnow gaps accept'),
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
