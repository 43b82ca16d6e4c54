import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { from, lastValueFrom, toArray } from 'rxjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runTopics } from '../../../../schemas/index.ts'
import type { Runtime } from '../../../../services/connections/connections.ts'
import { ablateRun } from '../../../../services/runs/evaluation/ablate.ts'
import { evaluateRun } from '../../../../services/runs/evaluation/evaluate.ts'
import { type RecordedRun, readRecordedRun } from '../../../../services/runs/recorded.ts'
import { replayRun } from '../../../../services/runs/replay/changes.ts'
import { RoundLedgers, recordedRounds } from '../../../../services/runs/replay/folded.ts'
import { replay } from '../../../../services/runs/replay/replay.ts'
import { RoundLedger } from '../../../../topologies/rounds/ledger.ts'
import {
  fillByParity,
  type MemoryRuntime,
  memoryRuntime,
  parityRun,
  recordRun,
} from '../../../support/memory-runtime.ts'

/** A run of many rounds, each of them with as many rewards but for the first, which has none. */
const rounds = 12
const perRound = 40
const everyRecords = 40
const run = parityRun('long', { holdOut: 0.3 }, { sampleDocuments: perRound / 2, steps: 2 * rounds })
let runtime: MemoryRuntime
let log: RecordedRun

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** What of a run's rewards is in memory: records that were decoded, and answers in ledgers. */
class Held {
  most = 0
  #records: WeakRef<object>[] = []
  readonly #ledgers = new Set<WeakRef<RoundLedger>>()
  readonly #known = new WeakSet<RoundLedger>()
  #decoded = 0

  readonly runtime: Runtime = {
    ...runtime,
    codec: new Proxy(runtime.codec, {
      get: (codec, key) => {
        if (key !== 'decode') return Reflect.get(codec, key)
        return async (bytes: Buffer) => {
          const decoded = await codec.decode(bytes)
          if (decoded.record === 'Reward') this.#records.push(new WeakRef(decoded.value as object))
          if (++this.#decoded % everyRecords === 0) await this.count()
          return decoded
        }
      },
    }),
  }

  accepting(ledger: RoundLedger): void {
    if (this.#known.has(ledger)) return
    this.#known.add(ledger)
    this.#ledgers.add(new WeakRef(ledger))
  }

  async count(): Promise<void> {
    // What a reference was made of is kept until here.
    await setImmediate()
    collectGarbage()
    this.#records = this.#records.filter((one) => one.deref() !== undefined)
    const answers = [...this.#ledgers].flatMap((one) => one.deref() ?? []).map((one) => one.requested - one.missing)
    this.most = Math.max(
      this.most,
      answers.reduce((sum, one) => sum + one, this.#records.length),
    )
  }
}

const { accept } = RoundLedger.prototype
let held: Held | undefined
beforeAll(async () => {
  runtime = await memoryRuntime()
  await fillByParity(runtime.store, 200)
  await recordRun(runtime, run, (text) => Number(text.split(' ')[1]) % 7)
  log = await readRecordedRun(runtime, run.name)
  RoundLedger.prototype.accept = function (...args) {
    held?.accepting(this)
    return accept.apply(this, args)
  }
})
afterAll(() => {
  RoundLedger.prototype.accept = accept
})

const every = <T>(values: AsyncIterable<T>): Promise<T[]> => lastValueFrom(from(values).pipe(toArray()))

/** The most that was held at once while something was done. */
async function mostHeld(work: (runtime: Runtime) => Promise<unknown>): Promise<number> {
  held = new Held()
  const done = await work(held.runtime)
  await held.count()
  expect(done).toBeDefined()
  return held.most
}

const commands: [string, (runtime: Runtime) => Promise<unknown>][] = [
  ['replay', (counted) => replay({ runtime: counted, recorded: run, replay: replayRun(run, 'again') })],
  ['evaluate', (counted) => evaluateRun(counted, run, 'next-round')],
  ['ablate', (counted) => ablateRun(counted, run, ['eta=0.1,0.9'])],
]

describe('of the rewards of a long run', () => {
  test('there are many, in several partitions, and who keeps them holds them all', async () => {
    const topic = runTopics(run.name).rewards.name
    expect((await runtime.kafka.endOffsets(topic)).filter((end) => end > perRound).length).toBeGreaterThan(1)
    expect(runtime.kafka.records(topic)).toHaveLength((rounds - 1) * perRound)
    const all = await mostHeld(async (counted) => await every(recordedRounds(counted, run, log)))
    expect(all).toBeGreaterThanOrEqual((rounds - 1) * perRound)
  })

  test.each(commands)('%s holds those of a few rounds at once', async (_name, work) => {
    const most = await mostHeld(work)
    expect(most).toBeGreaterThanOrEqual(perRound)
    // A ledger, the next one and the records that it is made of, and what was read when they were counted.
    expect(most).toBeLessThanOrEqual(3 * perRound + everyRecords)
  })
})

describe('ledgers of a run, one after the other', () => {
  test('have what the topic has of each round, and those in between can be left out', async () => {
    const all = await every(recordedRounds(runtime, run, log))
    expect(all.map(({ opened }) => opened.round)).toEqual(Array.from({ length: rounds }, (_, round) => round))
    await using some = new RoundLedgers(runtime, run, log)
    for (const round of [0, 3, 3, rounds - 1]) {
      const { closed, ledger } = all[round]!
      const columns = (await some.at(round))!.accepted(['parity'], closed.rewardOffsets)
      expect(columns).toEqual(ledger.accepted(['parity'], closed.rewardOffsets))
      expect(columns[0]?.rewards ?? []).toHaveLength(round === 0 ? 0 : perRound)
    }
    expect(await some.at(rounds)).toBeUndefined()
  })
})
