import { expect, test } from 'vitest'
import { waitMsMax } from '../../../../services/runtime/kafka/connection.ts'

test('a topic without a leader is waited for longer than other passing errors, and what cannot pass is not waited for', () => {
  const passing = waitMsMax({ type: 'REQUEST_TIMED_OUT', retriable: true })
  expect(waitMsMax({ type: 'NOT_LEADER_FOR_PARTITION', retriable: true })).toBeGreaterThan(passing)
  expect(passing).toBeGreaterThan(0)
  expect(waitMsMax({ type: 'TOPIC_AUTHORIZATION_FAILED', retriable: false })).toBe(0)
})
