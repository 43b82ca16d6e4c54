import { traceIn } from './headers.ts'
import type { IncomingRecord, TraceHeaders } from './port.ts'
import type { FetchedRecord } from './record-decoder.ts'

/** A record as a station gets it: a view of what was fetched. */
export class ConsumedRecord implements IncomingRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly #fetched: FetchedRecord

  constructor(topic: string, partition: number, fetched: FetchedRecord) {
    this.topic = topic
    this.partition = partition
    this.offset = fetched.offset
    this.#fetched = fetched
  }

  get key(): Buffer | null {
    return this.#fetched.key
  }

  get value(): Buffer | null {
    return this.#fetched.value
  }

  get trace(): TraceHeaders | undefined {
    return traceIn(this.#fetched.headers).trace
  }
}
