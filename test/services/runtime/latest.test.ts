import { expect, test } from 'vitest'
import { Latest } from '../../../services/runtime/latest.ts'

/** Of numbers, each of which is worked at until it is let go. */
function worker() {
  const begun: number[] = []
  const failed: number[] = []
  let end = Promise.withResolvers<void>()
  const latest = new Latest<number>(
    async (n, signal) => {
      begun.push(n)
      await end.promise
      signal.throwIfAborted()
    },
    (_error, n) => failed.push(n),
  )
  const settle = async (how: 'resolve' | 'reject') => {
    const { promise, resolve, reject } = end
    end = Promise.withResolvers()
    if (how === 'resolve') resolve()
    else reject(new Error('failed'))
    await promise.catch(() => {})
    await new Promise(setImmediate)
  }
  return { latest, begun, failed, settle }
}

test('one is worked at at a time, and of those that come meanwhile the last', async () => {
  const { latest, begun, failed, settle } = worker()
  for (const n of [1, 2, 3]) latest.ask(n)
  expect(begun).toEqual([1])
  await settle('resolve')
  expect(begun).toEqual([1, 3])
  await settle('resolve')
  latest.ask(4)
  expect(begun).toEqual([1, 3, 4])
  expect(failed).toEqual([])
  await settle('resolve')
  await latest.close()
})

test('a failure is told, and the next is worked at', async () => {
  const { latest, begun, failed, settle } = worker()
  latest.ask(1)
  latest.ask(2)
  await settle('reject')
  expect([begun, failed]).toEqual([[1, 2], [1]])
  await settle('resolve')
  await latest.close()
})

test('closed, it waits for what is worked at, whose failure is not told, and begins nothing', async () => {
  const { latest, begun, failed, settle } = worker()
  latest.ask(1)
  latest.ask(2)
  const closed = latest.close()
  latest.ask(3)
  await settle('resolve')
  await closed
  expect([begun, failed]).toEqual([[1], []])
})
