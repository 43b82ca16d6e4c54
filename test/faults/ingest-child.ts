// Ingests as a process of its own, to be killed. Takes IngestChildOptions as JSON.

import type { Addresses } from '../../services/connections/connections.ts'
import { childOptions, say, watchedKafka } from './crash.ts'
import type { ChildOptions } from './service.ts'

export interface IngestChildOptions extends ChildOptions {
  readonly addresses: Addresses
  readonly paths: readonly string[]
  /** Before the names of the sources: each case has its own. */
  readonly prefix: string
  /** File of master keys; left out: texts are not encrypted. */
  readonly encryption?: string
}

const options = childOptions<IngestChildOptions>()

const { DeadLetter, Document, Source } = await import('../../schemas/index.ts')
const { ingest } = await import('../../services/ingest/ingest.ts')
const { noProgress } = await import('../../services/ingest/progress.ts')
const { systemClock } = await import('../../services/runtime/clock.ts')
const { createCodec } = await import('../../services/runtime/codec.ts')
const { failpoint } = await import('../../services/runtime/failpoints.ts')
const { createKafka } = await import('../../services/runtime/kafka/kafkajs.ts')
const { exitCodeOf, printError } = await import('../../services/runtime/lifecycle.ts')
const { createLog } = await import('../../services/runtime/log.ts')

const log = createLog('ingest-child', 'error')
const kafka = createKafka({ brokers: options.addresses.brokers, clientId: 'ingest-child', log })

async function textsBy(encryption: string) {
  const { ClickHouseTextKeys } = await import('../../services/corpus/text-keys.ts')
  const { createClickHouse } = await import('../../services/runtime/clickhouse/client.ts')
  const { MasterKeys } = await import('../../services/texts/master-keys.ts')
  const { Texts } = await import('../../services/texts/texts.ts')
  const { clickhouseUrl: url, database } = options.addresses
  const { sql } = await createClickHouse({ url, ...(database !== undefined && { database }) })
  return new Texts(new ClickHouseTextKeys(sql), MasterKeys.load(encryption))
}

try {
  await ingest({
    paths: options.paths,
    kafka: watchedKafka(kafka),
    codec: await createCodec({ registry: options.addresses.registryUrl, records: [Source, Document, DeadLetter] }),
    log,
    clock: systemClock,
    progress: { ...noProgress, read: () => failpoint('decoded') },
    nameOptions: { prefix: options.prefix },
    limits: { rowsMax: 25 },
    texts: options.encryption === undefined ? undefined : await textsBy(options.encryption),
  })
  say('done')
  await kafka.close()
  // ClickHouse's connections are kept alive.
  process.exit()
} catch (error) {
  printError(error)
  process.exit(exitCodeOf(error))
}
