import { beforeEach, describe, expect, test } from 'vitest'
import { DeadLetter, topics } from '../../../../schemas/index.ts'
import { type LetterFilter, readDeadLetters, type StoredLetter } from '../../../../services/runs/dead-letters/read.ts'
import { redrive } from '../../../../services/runs/dead-letters/redrive.ts'
import { valueBytesKept } from '../../../../services/runtime/dead-letters.ts'
import { WinnowError } from '../../../../services/runtime/errors.ts'
import { type MemoryRuntime, memoryRuntime } from '../../../support/memory-runtime.ts'

const letters = topics.deadLetters.name
const origin = 'winnow.run.r.rewards'
let runtime: MemoryRuntime

const letter = (more: Partial<DeadLetter> = {}): DeadLetter => ({
  station: 'console of r',
  reason: 'late',
  message: 'arrived after its round was closed',
  origin: `${origin}[2]@7`,
  topic: origin,
  partition: 2,
  offset: 7,
  file: null,
  line: null,
  key: Buffer.from('document 5'),
  value: Buffer.from('a reward'),
  ...more,
})

async function write(topic: string, ...values: (Uint8Array | null)[]): Promise<void> {
  const producer = await runtime.kafka.producer()
  await producer.send(values.map((value) => ({ topic, key: 'k', value })))
}

const keep = (...some: DeadLetter[]) => write(letters, ...some.map((one) => runtime.codec.encode(DeadLetter, one)))
async function all(filter?: LetterFilter): Promise<StoredLetter[]> {
  const found: StoredLetter[] = []
  for await (const one of readDeadLetters(runtime, filter)) found.push(one)
  return found
}

beforeEach(async () => {
  runtime = await memoryRuntime()
  await runtime.kafka.createTopics([{ name: origin, partitions: 3, cleanup: 'delete', retentionMs: -1 }])
})

describe('dead letters', () => {
  test('are read oldest first with their offsets; records that are not dead letters are skipped', async () => {
    await keep(letter())
    await write(letters, Buffer.from('noise'), null)
    await keep(letter({ reason: 'not-finite' }))
    expect((await all()).map(({ offset, letter: { reason } }) => [offset, reason])).toEqual([
      [0, 'late'],
      [3, 'not-finite'],
    ])
  })

  test.each([
    [{ station: 'labeler q' }, [1]],
    [{ reason: 'late' }, [0, 1]],
    [{ reason: 'late', station: 'console of r' }, [0]],
    [{ topic: 'winnow.documents' }, [1]],
    [{ offsets: [2, 1] }, [1, 2]],
    [{ offsets: [1], reason: 'not-finite' }, []],
    [{ offsets: [9] }, []],
  ] satisfies [LetterFilter, number[]][])('are filtered by %j', async (filter, offsets) => {
    await keep(letter(), letter({ station: 'labeler q', topic: 'winnow.documents' }), letter({ reason: 'not-finite' }))
    expect((await all(filter)).map(({ offset }) => offset)).toEqual(offsets)
  })
})

describe('a redriven record', () => {
  test('goes to its original topic and partition, with its key and bytes', async () => {
    await keep(letter())
    expect(await redrive(runtime, readDeadLetters(runtime))).toEqual([
      { offset: 0, topic: origin, partition: 2, offsetNew: 0 },
    ])
    const [record] = runtime.kafka.records(origin)
    expect(record).toMatchObject({ partition: 2, offset: 0 })
    expect([record!.key?.toString(), record!.value?.toString()]).toEqual(['document 5', 'a reward'])
  })

  test('is replaced by corrected bytes if given; a missing key or value stays missing', async () => {
    await keep(letter(), letter({ key: null, value: null }))
    await redrive(runtime, readDeadLetters(runtime, { offsets: [0] }), Buffer.from('fixed'))
    await redrive(runtime, readDeadLetters(runtime, { offsets: [1] }))
    expect(runtime.kafka.records(origin).map(({ key, value }) => [key?.toString(), value?.toString()])).toEqual([
      ['document 5', 'fixed'],
      [undefined, undefined],
    ])
  })

  test('that was kept only in part is read again from its topic, or refused if it is gone there', async () => {
    const whole = Buffer.alloc(valueBytesKept + 10, 'w')
    const producer = await runtime.kafka.producer()
    await producer.send([{ topic: origin, partition: 1, key: 'long', value: whole }])
    const cut = { value: whole.subarray(0, valueBytesKept) }
    await keep(letter({ ...cut, partition: 1, offset: 0 }), letter({ ...cut, partition: 1, offset: 5 }))
    expect(await redrive(runtime, readDeadLetters(runtime))).toEqual([
      { offset: 0, topic: origin, partition: 1, offsetNew: 1 },
      { offset: 1, refused: `its bytes were kept only in part, and ${origin}[1]@5 is gone` },
    ])
    const [, again] = runtime.kafka.records(origin)
    expect([again!.key?.toString(), again!.value?.equals(whole)]).toEqual(['long', true])
  })

  test('that is a row of a file is refused, and the following ones are sent', async () => {
    const row = { topic: null, partition: null, offset: null, file: 'a.jsonl', line: 3 }
    await keep(letter(row), letter())
    expect(await redrive(runtime, readDeadLetters(runtime))).toMatchObject([
      { offset: 0, refused: expect.stringContaining('row 3 of a.jsonl came from no topic') },
      { offset: 1, offsetNew: 0 },
    ])
  })

  test('that is too large for Kafka is refused; an unreachable broker ends the redrive and reports what was sent', async () => {
    await keep(letter(), letter(), letter())
    let sends = 0
    runtime.kafka.faults.send = () => {
      sends++
      if (sends === 2) throw new WinnowError('BAD_DATA', 'is too large')
      if (sends === 3) throw new WinnowError('UNREACHABLE', 'nobody answers')
    }
    await expect(redrive(runtime, readDeadLetters(runtime))).rejects.toMatchObject({ code: 'UNREACHABLE' })
    expect(runtime.kafka.records(origin)).toHaveLength(1)
    sends = 1
    expect(await redrive(runtime, readDeadLetters(runtime, { offsets: [1] }))).toEqual([
      { offset: 1, refused: 'is too large' },
    ])
  })
})
