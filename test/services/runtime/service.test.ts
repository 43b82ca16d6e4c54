import { expect, test } from 'vitest'
import { closeAll, firstFailure, type Service, startTogether } from '../../../services/runtime/service.ts'

const service = (name: string, closed: string[], failure?: Error): Service => ({
  name,
  close: async () => {
    closed.push(name)
    if (failure !== undefined) throw failure
  },
})
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

test('services are closed last first, all of them even if one fails, and none twice', async () => {
  const closed: string[] = []
  const failures = [new Error('b failed'), new Error('c failed')]
  const services = [service('a', closed), service('b', closed, failures[0]), service('c', closed, failures[1])]
  const failure = await failureOf(closeAll(services))
  expect(closed).toEqual(['c', 'b', 'a'])
  expect(firstFailure(failure)).toBe(failures[1])
  await closeAll(services)
  expect(closed).toHaveLength(3)
})

test('services that all started are returned open', async () => {
  const closed: string[] = []
  const started = await startTogether(async (services) => {
    services.push(service('a', closed), service('b', closed))
  })
  expect(started.map(({ name }) => name)).toEqual(['a', 'b'])
  expect(closed).toEqual([])
})

test('a failed startup closes what it had started, and its error takes precedence over errors of closing', async () => {
  const closed: string[] = []
  const cause = new Error('c does not start')
  const failure = await failureOf(
    startTogether(async (services) => {
      services.push(service('a', closed), service('b', closed, new Error('b failed')))
      throw cause
    }),
  )
  expect(closed).toEqual(['b', 'a'])
  expect(firstFailure(failure)).toBe(cause)
})
