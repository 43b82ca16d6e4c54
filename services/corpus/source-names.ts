import { Source, topics } from '../../schemas/index.ts'
import { type Codec, readable } from '../runtime/codec.ts'
import type { Kafka } from '../runtime/kafka/port.ts'

/** The name of each source by its number, the upper 24 bits of its documents' ids. */
export async function sourceNames({
  kafka,
  codec,
}: {
  readonly kafka: Pick<Kafka, 'read'>
  readonly codec: Codec
}): Promise<Map<number, string>> {
  const names = new Map<number, string>()
  for await (const records of kafka.read(topics.sources.name)) {
    for (const { value: bytes } of records) {
      const decoded = bytes === null ? undefined : await readable(() => codec.decode(bytes))
      if (decoded?.record !== Source.name) continue
      const { source, name } = decoded.value as Source
      names.set(source, name)
    }
  }
  return names
}
