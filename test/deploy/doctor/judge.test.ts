import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { exitCodeOfFindings, ok, problem, skipped, unreachable, warning } from '../../../deploy/doctor/finding.ts'
import { judgeBroker, judgeTopic } from '../../../deploy/doctor/kafka.ts'
import { judgeLogs } from '../../../deploy/doctor/logs.ts'
import { checkDisk, checkNode, checkPackages, portOwner } from '../../../deploy/doctor/machine.ts'
import { skew } from '../../../deploy/doctor/stores.ts'

test('the exit code reflects the worst finding: an unreachable dependency outranks a wrong setting', () => {
  const [wrong, away] = [problem('a', 'b', 'c'), unreachable('a', 'b', 'c')]
  expect(exitCodeOfFindings([ok('a', 'b'), warning('a', 'b', 'c'), skipped('a', 'b')])).toBe(0)
  expect(exitCodeOfFindings([ok('a', 'b'), wrong])).toBe(3)
  expect(exitCodeOfFindings([wrong, away])).toBe(4)
})

test('an old Node is a problem; the native packages are installed', () => {
  expect(checkNode('v20.20.0')).toMatchObject({ state: 'problem', mend: expect.stringContaining('npx winnow') })
  expect(checkNode('v24.1.0')).toMatchObject({ state: 'ok' })
  expect(checkPackages().map(({ state }) => state)).toEqual(['ok', 'ok', 'ok', 'ok'])
})

test('a disk that is nearly full is a warning, one that is full a problem', () => {
  const disk = (freeGib: number) => (() => ({ bavail: freeGib * 2 ** 18, blocks: 2 ** 28, bsize: 4096 })) as never
  const folder = join(tmpdir(), 'not', 'there', 'yet')
  expect(checkDisk(folder, disk(100))).toMatchObject({ state: 'ok', found: expect.stringContaining('100.0 GiB free') })
  expect(checkDisk(folder, disk(2))).toMatchObject({ state: 'warning' })
  expect(checkDisk(folder, disk(0.25))).toMatchObject({
    state: 'problem',
    mend: expect.stringContaining('WINNOW_DATA'),
  })
  expect(checkDisk(folder).found).toContain('GiB')
})

test('a clock that is off is a warning that says by how much; half a second is tolerated', () => {
  expect(skew('clickhouse', 1_000_000 - 3600_000, 1_000_000)).toMatchObject([
    { found: expect.stringContaining('-3600 s') },
  ])
  expect(skew('registry', 1_000_500, 1_000_000)).toEqual([])
  expect(skew('registry', Number.NaN, 1_000_000)).toEqual([])
})

test.runIf(process.platform === 'linux')('a port in use is reported with the process that holds it', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  expect(portOwner(port)).toContain(`process ${process.pid} `)
  await new Promise((resolve) => server.close(resolve))
  expect(portOwner(port)).toBeUndefined()
})

test.each([
  ['message.max.bytes', '1000'],
  ['transaction.max.timeout.ms', '1000'],
  ['group.max.session.timeout.ms', '5000'],
  ['group.min.session.timeout.ms', '30000'],
])('a broker whose %s is %s is a problem', (name, value) => {
  const [finding] = judgeBroker('1', new Map([[name, value]]))
  expect(finding).toMatchObject({
    state: 'problem',
    found: expect.stringContaining(value),
    mend: expect.stringContaining(name),
  })
})

test('a broker that creates topics automatically is a warning; Kafka’s default limits are fine', () => {
  expect(judgeBroker('1', new Map([['auto.create.topics.enable', 'true']]))).toMatchObject([{ state: 'warning' }])
  expect(judgeBroker('1', new Map([['message.max.bytes', '1048588']]))).toMatchObject([{ state: 'ok' }])
})

test.each([
  ['cleanup.policy', 'compact'],
  ['retention.ms', '1000'],
  ['max.message.bytes', '1000'],
])('a topic whose %s is %s is a problem, with the command that fixes it', (name, value) => {
  const definition = { name: 'winnow.documents', partitions: 4, cleanup: 'delete', retentionMs: -1 } as const
  const settings = new Map([
    ['cleanup.policy', 'delete'],
    ['retention.ms', '-1'],
    [name, value],
  ])
  expect(judgeTopic(definition, 4, settings)).toMatchObject([
    { state: 'problem', found: expect.stringContaining(value), mend: expect.stringContaining(`--add-config ${name}=`) },
  ])
})

test('a topic that carries texts must accept records as large as the configuration says', () => {
  const definition = { name: 'winnow.documents', partitions: 4, cleanup: 'delete', retentionMs: -1 } as const
  const limited = { ...definition, messageBytesMax: 8_388_608 }
  const settings = (bytes: string) => new Map([['max.message.bytes', bytes]])
  expect(judgeTopic(limited, 4, settings('8388608'))).toEqual([])
  expect(judgeTopic(limited, 4, settings('20000000'))).toEqual([])
  expect(judgeTopic(limited, 4, settings('1048588'))).toMatchObject([
    { state: 'problem', mend: expect.stringContaining('--add-config max.message.bytes=8388608') },
  ])
})

test('more partitions than configured are fine; fewer are a problem, with the command that adds them', () => {
  const definition = { name: 'winnow.labels.topic', partitions: 4, cleanup: 'delete', retentionMs: -1 } as const
  expect(judgeTopic(definition, 6, new Map())).toEqual([])
  expect(judgeTopic(definition, 2, new Map())).toMatchObject([
    { state: 'problem', mend: expect.stringContaining('--alter --topic winnow.labels.topic --partitions 4') },
  ])
})

test('a gap is a problem; records held back and topics that lost their beginning are warnings; each names topic and partition', () => {
  const log = { topic: 'winnow.documents', partition: 1, topicId: null, first: 341, stable: 400, end: 440 }
  const gap = { topic: 'winnow.documents', partition: 0, topicId: null, reason: 'deleted', from: 4, to: 9 } as const
  expect(judgeLogs({ holes: [{ ...gap, station: 'label sink' }], heldBack: [log], beheaded: [log] })).toMatchObject([
    {
      state: 'problem',
      found: expect.stringContaining('records from 4 to before 9 were deleted'),
      mend: expect.stringContaining('winnow gaps'),
    },
    {
      state: 'warning',
      found: expect.stringContaining('winnow.documents[1]: a transaction that stays open at 400 hides 40 records'),
    },
    {
      state: 'warning',
      found: expect.stringContaining('winnow.documents[1] begins at 341, although it is to be kept for ever'),
    },
  ])
  expect(judgeLogs({ holes: [], heldBack: [], beheaded: [] })).toMatchObject([{ state: 'ok' }])
})

test('recorded gaps are a problem until they are accepted, damaged batches too, which only stations meet', () => {
  const place = { topic: 'winnow.documents', partition: 0, topicId: null, from: 4, to: 9 }
  const damaged = { ...place, reason: 'damaged' as const }
  const gap = { ...damaged, station: 'labeler topic', accepted: false }
  const nothing = { holes: [], heldBack: [], beheaded: [] }
  expect(judgeLogs(nothing, [gap])).toMatchObject([
    { state: 'problem', found: expect.stringMatching(/records from 4 to before 9 are damaged.*labeler topic/) },
  ])
  expect(judgeLogs(nothing, [{ ...gap, accepted: true }])).toMatchObject([{ state: 'ok' }])
  // A hole that a recorded gap covers is told once.
  expect(judgeLogs({ ...nothing, holes: [{ ...damaged, from: 5, station: 'label sink' }] }, [gap])).toHaveLength(1)
})
