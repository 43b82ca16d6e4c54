import type { Admin } from 'kafkajs'
import { expect, test } from 'vitest'
import { createAdmin } from '../../../../services/runtime/kafka/admin.ts'
import type { Connection } from '../../../../services/runtime/kafka/connection.ts'

/** A cluster whose brokers go on listing a deleted topic for so many requests: they learn of the controller's decision later than the client. */
function cluster(staleListings: number) {
  const asked: string[] = []
  let deleted = false
  const admin = {
    listTopics: async () => {
      asked.push('list')
      return deleted && staleListings-- <= 0 ? ['other'] : ['other', 'a']
    },
    deleteTopics: async ({ topics }: { topics: string[] }) => {
      asked.push(`delete ${topics}`)
      deleted = true
    },
  } as unknown as Admin
  const onAdmin: Connection['onAdmin'] = (_doing, work) => work(admin)
  return { asked, admin: createAdmin({ onAdmin } as Connection) }
}

test('deleting topics ends when the brokers have stopped listing them, not when the controller has deleted them', async () => {
  const { asked, admin } = cluster(3)
  await admin.deleteTopics(['a', 'never-was'])
  expect(asked).toEqual(['list', 'delete a', 'list', 'list', 'list', 'list'])
  expect(await admin.topicNames()).toEqual(['other'])
})
