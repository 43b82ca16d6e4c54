import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { allRecords, type RecordType, Source, topics } from '../../../schemas/index.ts'
import { assertRegistryOfLog } from '../../../services/connections/registry-of-log.ts'
import { createCodec } from '../../../services/runtime/codec.ts'
import { FakeKafka } from '../../support/fake-kafka.ts'

const source: Source = {
  ...{ name: 'a', source: 0, fingerprint: 'f', rowNext: 1, documents: 1, rejected: 0, complete: true },
  textField: '',
}

/** Registries in memory, which give ids in the order in which they are asked. */
const codecOf = (records: readonly RecordType[]) => createCodec({ registry: `mock://${randomUUID()}`, records })

async function logWith(values: readonly Buffer[]): Promise<FakeKafka> {
  const kafka = new FakeKafka()
  const { name } = topics.sources
  await kafka.createTopics([{ name, partitions: 1, cleanup: 'compact', retentionMs: -1 }])
  const producer = await kafka.producer()
  await producer.send(values.map((value, i) => ({ topic: name, key: `${i}`, value })))
  return kafka
}

test('a registry whose schema ids differ from the log’s is named, with the record and the id', async () => {
  const before = await codecOf(allRecords)
  const after = await codecOf(allRecords.toReversed())
  const kafka = await logWith([before.encode(Source, source)])
  await expect(assertRegistryOfLog({ kafka, codec: before })).resolves.toBeUndefined()
  await expect(assertRegistryOfLog({ kafka, codec: after })).rejects.toMatchObject({
    code: 'CONFIGURATION',
    message: expect.stringMatching(
      /^The schema registry is not the one of these topics: winnow\.sources\[0\]@0 is a Source that was written under schema id \d+/,
    ),
  })
})

test('a registry that lacks the log’s ids is named as well', async () => {
  const many = await codecOf(allRecords)
  const bytes = Buffer.from(many.encode(Source, source))
  bytes.writeUInt32BE(9999, 1)
  await expect(assertRegistryOfLog({ kafka: await logWith([bytes]), codec: many })).rejects.toMatchObject({
    code: 'CONFIGURATION',
    message: expect.stringContaining('the registry has no schema of that id'),
  })
})

test('poison among readable records, and an empty or unreadable log, prove nothing against the registry', async () => {
  const codec = await codecOf(allRecords)
  const good = codec.encode(Source, source)
  const unknown = Buffer.from(good)
  unknown.writeUInt32BE(9999, 1)
  for (const values of [[unknown, good], [Buffer.from('no record')], []])
    await expect(assertRegistryOfLog({ kafka: await logWith(values), codec })).resolves.toBeUndefined()
})
