import { expect, test } from 'vitest'
import { createConnection } from '../../../../services/runtime/kafka/connection.ts'
import { createCluster } from '../../../../services/runtime/kafka/internals.ts'
import { createLog } from '../../../../services/runtime/log.ts'

/** What a consumer of a client believes that its group has committed; kafkajs's own. */
const committed = (cluster: unknown) =>
  (cluster as { committedOffsets(of: { groupId: string }): object }).committedOffsets({ groupId: 'labelers' })

test('two members of a group in one process share nothing that they know of its offsets', () => {
  const connection = createConnection({ brokers: ['127.0.0.1:1'], clientId: 'test', log: createLog('test', 'silent') })
  const of = () => committed(createCluster(connection.consumerClient()))
  expect(of()).not.toBe(of())
  // That is why: with one client for both they would.
  expect(committed(createCluster(connection.client))).toBe(committed(createCluster(connection.client)))
})
