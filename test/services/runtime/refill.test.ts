import { expect, test } from 'vitest'
import { WinnowError } from '../../../services/runtime/errors.ts'
import type { Hole, IncomingRecord } from '../../../services/runtime/kafka/port.ts'
import { createLog } from '../../../services/runtime/log.ts'
import { type Refill, refillHole } from '../../../services/runtime/refill.ts'

const hole: Hole = { topic: 'documents', partition: 2, topicId: 'id', reason: 'deleted', from: 0, to: 100 }

/** A place that keeps the records of even offsets before `kept`, of which at most `failures` answers break off. */
function keeper(kept: number, failures = 0): Refill & { asked: number[] } {
  const asked: number[] = []
  let failing = failures
  return {
    from: 'there',
    asked,
    keptBefore: async () => kept,
    records: async function* ({ topic, partition, from, to }) {
      asked.push(from)
      for (let offset = from + (from % 2); offset < to && offset < kept + 6; offset += 2) {
        yield [{ topic, partition, offset, key: null, value: null }]
        if (offset === 20 && failing-- > 0) throw new WinnowError('UNREACHABLE', 'there is away')
      }
    },
  }
}

async function refilled(refill: Refill, { of = hole, stopAfter = Number.POSITIVE_INFINITY } = {}) {
  const processed: number[] = []
  const reached: number[] = []
  const stop = new AbortController()
  const lost = await refillHole(of, refill, {
    station: 'labeler',
    log: createLog('test', 'silent'),
    signal: stop.signal,
    process: async (records: readonly IncomingRecord[]) => {
      processed.push(...records.map(({ offset }) => offset))
      if (processed.length >= stopAfter) stop.abort()
    },
    reached: (offset) => void reached.push(offset),
    persistently: async (_doing, work) => {
      for (;;) {
        try {
          return await work()
        } catch (error) {
          if (!(error instanceof WinnowError && error.retriable)) throw error
        }
      }
    },
  })
  return { lost, processed, reached }
}

const even = (to: number, from = 0) => Array.from({ length: (to - from) / 2 }, (_, i) => from + 2 * i)

test('what a topic has deleted is processed in order, and nothing is lost if all of it was kept', async () => {
  const { lost, processed, reached } = await refilled(keeper(130))
  expect(lost).toBeUndefined()
  expect(processed).toEqual(even(100))
  expect(reached).toEqual(even(100).map((offset) => offset + 1))
})

test('what was not kept is told, and no position goes beyond it', async () => {
  const { lost, processed, reached } = await refilled(keeper(40))
  expect(lost).toEqual({ ...hole, from: 40 })
  // Some rows behind it are there all the same.
  expect(processed).toEqual(even(46))
  expect(Math.max(...reached)).toBe(40)
  expect((await refilled(keeper(0))).lost).toEqual(hole)
})

test('an attempt that broke off goes on after what it has processed', async () => {
  const refill = keeper(100, 2)
  const { lost, processed } = await refilled(refill)
  expect(lost).toBeUndefined()
  expect(refill.asked).toEqual([0, 21])
  expect(processed).toEqual(even(100))
})

test('the next member of the group goes on where the last one was stopped', async () => {
  const first = await refilled(keeper(100), { stopAfter: 10 })
  expect(first.lost).toEqual(hole)
  const from = first.reached.at(-1)!
  const second = await refilled(keeper(100), { of: { ...hole, from } })
  expect([...first.processed, ...second.processed]).toEqual(even(100))
})

test('of a hole of another kind nothing is known', async () => {
  for (const reason of ['recreated', 'truncated', 'damaged'] as const) {
    const refill = keeper(100)
    expect((await refilled(refill, { of: { ...hole, reason } })).lost).toEqual({ ...hole, reason })
    expect(refill.asked).toEqual([])
  }
})
