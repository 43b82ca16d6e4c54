import { Document, type DocumentId, RewardRequest } from '../schemas/index.ts'
import type { Delivered, Output, Processor } from './node.ts'

/** A text as it stands in a record: as it was ingested, or encrypted by a key of its document. */
export interface SealedText {
  readonly docId: DocumentId
  readonly text: string
}

/** A text as it was ingested; null: the document is erased; an error: it is not what ingest had written. */
export type ReadText = string | null | Error

/** In the given order. */
export type ReadTexts = (texts: readonly SealedText[]) => Promise<readonly ReadText[]>

interface Reading {
  readonly read: ReadTexts
  /** Called with how many records of a batch were of erased documents. */
  readonly onErased?: (count: number) => void
}

/**
 * A station that gets records with their texts readable. Documents that are erased it does not get: they count as processed. Requests for rewards
 * have to be answered, so an erased document is an empty text there. What it rejects goes to dead letters as it was read, encrypted.
 */
export function readingTexts(build: (output: Output) => Processor, { read, onErased }: Reading) {
  return (output: Output): Processor => {
    /** By what the station gets: what was read. */
    let given = new Map<Delivered, Delivered>()
    const station = build({
      send: (records) => output.send(records),
      transaction: (work) => output.transaction(work),
      deadLetter: (delivered, reason, message) => output.deadLetter(given.get(delivered) ?? delivered, reason, message),
    })
    const process: Processor['process'] = async (batch, reached) => {
      const ofTexts = batch.filter(hasText)
      const texts = await read(ofTexts.map(({ value }) => value))
      // Where nothing is encrypted the station gets the records themselves.
      if (texts.every((text, i) => text === ofTexts[i]!.value.text)) return await station.process(batch, reached)
      given = new Map()
      const textOf = new Map<Delivered, ReadText>(ofTexts.map((delivered, i) => [delivered, texts[i]!]))
      const readable = batch.flatMap((delivered) => {
        const text = textOf.get(delivered)
        if (text === undefined) return [delivered]
        if (text === null && delivered.record === Document.name) return []
        if (text instanceof Error) {
          output.deadLetter(delivered, 'unreadable-text', text.message)
          return []
        }
        const { topic, partition, offset, record } = delivered
        const one = { topic, partition, offset, record, value: { ...(delivered.value as object), text: text ?? '' } }
        given.set(one, delivered)
        return [one]
      })
      const erased = texts.filter((text) => text === null).length
      if (erased > 0) onErased?.(erased)
      await station.process(readable, reached)
    }
    return { process }
  }
}

const hasText = (delivered: Delivered): delivered is Delivered<SealedText> =>
  delivered.record === Document.name || delivered.record === RewardRequest.name
