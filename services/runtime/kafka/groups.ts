import kafkajs from 'kafkajs'
import type { Offset, Partition } from '../../../schemas/index.ts'
import type { Connection } from './connection.ts'
import { fetchBatch } from './internals.ts'
import type { ConsumerGroup } from './port.ts'

const { AssignerProtocol } = kafkajs

/** Consumer groups whose name begins with `prefix` and that have members now. */
export async function consumerGroups(connection: Connection, prefix: string): Promise<ConsumerGroup[]> {
  return await connection.onAdmin('list the consumer groups', async (admin) => {
    const ids = await groupIds(admin, prefix)
    if (ids.length === 0) return []
    const described = (await admin.describeGroups(ids)).groups
    return described
      .filter(({ members }) => members.length > 0)
      .map(({ groupId, state, members }) => ({
        groupId,
        state,
        members: members.map(({ clientId, clientHost, memberAssignment }) => ({
          client: clientId,
          // The broker writes it as /127.0.0.1.
          host: clientHost.replace(/^\//, ''),
          assigned: assignmentOf(memberAssignment),
        })),
      }))
  })
}

async function groupIds(admin: kafkajs.Admin, prefix: string): Promise<string[]> {
  const { groups } = await admin.listGroups()
  return groups.map(({ groupId }) => groupId).filter((groupId) => groupId.startsWith(prefix))
}

const nonEmptyGroup = 68
const unknownGroup = 69

/** Deletes groups whose name begins with `prefix`, with their committed offsets; a group with members is kept. */
export async function deleteGroups(connection: Connection, prefix: string): Promise<void> {
  await connection.onAdmin('delete consumer groups', async (admin) => {
    const ids = await groupIds(admin, prefix)
    if (ids.length === 0) return
    try {
      await admin.deleteGroups(ids)
    } catch (error) {
      const failed = (error as { groups?: readonly { errorCode?: number }[] }).groups ?? []
      const expected = failed.every(({ errorCode }) => errorCode === nonEmptyGroup || errorCode === unknownGroup)
      if (failed.length === 0 || !expected) throw error
    }
  })
}

/** A member that has just joined has no assignment yet. */
const assignmentOf = (bytes: Buffer): Readonly<Record<string, readonly number[]>> =>
  bytes.length === 0 ? {} : (AssignerProtocol.MemberAssignment.decode(bytes)?.assignment ?? {})

/** A fetch returns at least one batch, however little is asked for (KIP-74): enough for its first record's timestamp. */
const fetchBytesMax = 1

/** When the first record at or after `offset` was written, milliseconds since the epoch; null if none is readable there. */
export const writtenAt = (
  connection: Connection,
  topic: string,
  partition: Partition,
  offset: Offset,
): Promise<number | null> =>
  connection.onCluster(topic, `read ${topic}[${partition}]@${offset}`, async (cluster) => {
    const { messages } = await fetchBatch(cluster, { topic, partition, offset, bytesMax: fetchBytesMax })
    return messages[0] === undefined ? null : Number(messages[0].timestamp)
  })
