import { Document } from '../../schemas/index.ts'
import type { Runtime } from '../connections/connections.ts'
import { keptDocuments } from '../corpus/kept-documents.ts'
import { consumerGroupOf } from '../runtime/consumer-groups.ts'
import { pastMarkers } from '../runtime/kafka/hole.ts'
import type { Refill } from '../runtime/refill.ts'

/** Documents that their topic has deleted, from ClickHouse, as far as the label sink had written them. */
export const documentsInClickHouse = ({
  clickHouse,
  store,
  codec,
  kafka,
}: Pick<Runtime, 'clickHouse' | 'store' | 'codec' | 'kafka'>): Refill => ({
  from: 'ClickHouse',
  keptBefore: async (topic, partition) => {
    const committed = await store.committed()
    const rows = committed.find((place) => place.topic === topic && place.partition === partition)?.offsetNext ?? 0
    const places = await kafka.committedPlaces(consumerGroupOf({ kind: 'label-sink' }, {}), topic)
    return pastMarkers(rows, places[partition])
  },
  records: async function* ({ topic, partition, from, to }) {
    for await (const documents of keptDocuments(clickHouse.sql, { partition, from, to }))
      yield documents.map(({ value, offset }) => ({
        topic,
        partition,
        offset,
        key: Buffer.from(`${value.docId}`),
        value: codec.encode(Document, value),
      }))
  },
})
