import { expect, test } from 'vitest'
import { Console } from '../../topologies/console/console.ts'
import type { ConsoleEvent } from '../../topologies/console/ports.ts'
import type { Preparing, ViewOptions } from '../../topologies/corpus-store.ts'
import { MemoryStore } from '../../topologies/memory-store.ts'
import { fillByParity, parityRun } from '../support/memory-runtime.ts'

/** A store whose corpus takes some calls to be prepared as of each set of offsets. */
class SlowStore extends MemoryStore {
  readonly asked: string[] = []
  left = 3

  override async prepare(options?: ViewOptions): Promise<undefined> {
    this.asked.push(JSON.stringify(options!.labelOffsets))
    if (this.left === 0) return undefined
    this.left -= 1
    const preparing: Preparing = { done: 100 - this.left * 25, total: 100 }
    return preparing as never
  }
}

test('a round waits until the corpus is prepared for it, says how far that is, and opens as of when it first asked', async () => {
  const run = parityRun('slow')
  const store = new SlowStore()
  await fillByParity(store, 20)
  const events: ConsoleEvent[] = []
  const send = async (records: readonly unknown[]) => records.map((_, i) => ({ partition: 0, offsetFirst: i }))
  const console = new Console(run, {
    store,
    output: { send, transaction: (work: (own: typeof send) => unknown) => work(send), deadLetter: () => {} } as never,
    selections: { selection: () => [] as never },
    now: () => 0,
    onEvent: (event) => events.push(event),
  })
  console.restore([])
  await console.start()
  // More labels come while it waits: they are for the next round.
  await fillByParity(store, 40)
  for (let tick = 0; tick < 4; tick++) await console.tick()
  expect(events.map(({ kind }) => kind)).toEqual(['preparing', 'preparing', 'preparing', 'opened', 'closed'])
  expect(events[1]).toEqual({ kind: 'preparing', round: 0, preparing: { done: 75, total: 100 } })
  expect(new Set(store.asked).size).toBe(1)
})
