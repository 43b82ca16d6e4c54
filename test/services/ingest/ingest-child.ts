// Ingests as a process of its own, to be killed: BROKER REGISTRY PATH... Says on stdout how many batches it has given to the broker.
import { DeadLetter, Document, Source } from '../../../schemas/index.ts'
import { ingest } from '../../../services/ingest/ingest.ts'
import { noProgress } from '../../../services/ingest/progress.ts'
import { systemClock } from '../../../services/runtime/clock.ts'
import { createCodec } from '../../../services/runtime/codec.ts'
import { createKafka } from '../../../services/runtime/kafka/kafkajs.ts'
import { createLog } from '../../../services/runtime/log.ts'

const [broker = '', registry = '', ...paths] = process.argv.slice(2)
const log = createLog('ingest-child', 'error')
const kafka = createKafka({ brokers: [broker], clientId: 'ingest-child', log })
let batches = 0
await ingest({
  paths,
  kafka,
  codec: await createCodec({ registry, records: [Source, Document, DeadLetter] }),
  log,
  clock: systemClock,
  progress: { ...noProgress, wrote: () => process.stdout.write(`${++batches}\n`) },
  limits: { rowsMax: 50 },
})
await kafka.close()
