// A trainer of several ranks that keeps what it has read, and its position, in a checkpoint file. Takes RanksChildOptions as JSON.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Addresses } from '../../services/connections/connections.ts'
import type { Position } from '../../services/selections/selection-reader.ts'
import { childOptions, say } from './crash.ts'
import type { ChildOptions } from './service.ts'

export interface RanksChildOptions extends ChildOptions {
  readonly addresses: Addresses
  readonly run: string
  readonly rounds: number
  readonly ranks: number
  readonly batchDocuments: number
  readonly file: string
}

export interface RanksCheckpoint {
  readonly position: Position
  /** Of all global batches up to the position, each chained to the one before. */
  readonly digest: string
  readonly documents: number
}

const options = childOptions<RanksChildOptions>()

const { allRecords } = await import('../../schemas/index.ts')
const { createCodec } = await import('../../services/runtime/codec.ts')
const { failpoint } = await import('../../services/runtime/failpoints.ts')
const { createKafka } = await import('../../services/runtime/kafka/kafkajs.ts')
const { createLog } = await import('../../services/runtime/log.ts')
const { SelectionReader } = await import('../../services/selections/selection-reader.ts')

const { run, rounds, ranks, file, batchDocuments, addresses } = options
const log = createLog('ranks-child', 'warn')
const kafka = createKafka({ brokers: addresses.brokers, clientId: 'ranks-child', log })
const codec = await createCodec({ registry: addresses.registryUrl, records: allRecords })
const reader = await SelectionReader.open({ kafka, codec, run, reader: 'ranks' })

let state: RanksCheckpoint = existsSync(file)
  ? (JSON.parse(readFileSync(file, 'utf8')) as RanksCheckpoint)
  : { position: { run, round: 0, index: 0 }, digest: '', documents: 0 }

/** Whole or not at all, as every trainer writes its checkpoint. */
function checkpoint(): void {
  writeFileSync(`${file}.new`, JSON.stringify(state))
  failpoint('checkpointed')
  renameSync(`${file}.new`, file)
  failpoint('reported')
}

let steps = 0
for (;;) {
  const { position } = state
  const streams = Array.from({ length: ranks }, (_, rank) =>
    reader.batches(position, { rank, ranks, documents: batchDocuments, once: true }),
  )
  for (;;) {
    const parts = await Promise.all(streams.map((stream) => stream.next()))
    if (parts.some(({ done }) => done)) break
    failpoint('stepping')
    // The ranks' parts follow one another in the order of the stream.
    const ids = parts.flatMap(({ value }) => [...(value?.ids ?? [])])
    const digest = createHash('sha256')
      .update(`${state.digest} ${ids.join(' ')}`)
      .digest('hex')
    state = { position: parts[0]!.value!.next, digest, documents: state.documents + ids.length }
    if (++steps % 3 === 0) checkpoint()
  }
  const round = state.position.round + 1
  if (round === rounds) break
  state = { ...state, position: { run, round, index: 0 } }
}
checkpoint()
say('done')
await reader.close()
await kafka.close()
