// Ingests as a process of its own, to be killed. Takes IngestChildOptions as JSON.

import type { Addresses } from '../../services/connections/connections.ts'
import { childOptions, say, watched } from './crash.ts'
import type { ChildOptions } from './service.ts'

export interface IngestChildOptions extends ChildOptions {
  readonly addresses: Addresses
  readonly paths: readonly string[]
  /** Before the names of the sources: each case has its own. */
  readonly prefix: string
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
type Producer = import('../../services/runtime/kafka/port.ts').Producer

const log = createLog('ingest-child', 'error')
const kafka = createKafka({ brokers: options.addresses.brokers, clientId: 'ingest-child', log })

/** Its failpoints, in their order: before transaction, before send, after send, before commit, after transaction. */
async function producer(given?: { transactionalId?: string }): Promise<Producer> {
  const real = await kafka.producer(given)
  const transaction: Producer['transaction'] = (work) =>
    real.transaction(async (send) => {
      const result = await work(watched('producer', { send }).send)
      failpoint('producer before commit')
      return result
    })
  return watched<Producer>('producer', { send: real.send, close: real.close, transaction })
}

try {
  await ingest({
    paths: options.paths,
    kafka: { ...kafka, producer },
    codec: await createCodec({ registry: options.addresses.registryUrl, records: [Source, Document, DeadLetter] }),
    log,
    clock: systemClock,
    progress: { ...noProgress, read: () => failpoint('decoded') },
    nameOptions: { prefix: options.prefix },
    limits: { rowsMax: 25 },
  })
  say('done')
  await kafka.close()
} catch (error) {
  printError(error)
  process.exit(exitCodeOf(error))
}
