import { Document, Label } from '../../schemas/index.ts'
import { type Codec, readable, schemaIdOf } from '../runtime/codec.ts'
import type { IncomingRecord } from '../runtime/kafka/port.ts'
import type { ArchivedRecord } from './container.ts'
import type { TopicCut } from './plan.ts'

/** Which records of a topic an archive keeps, and as what. */
export class Kept {
  readonly #codec: Codec
  readonly #keep: TopicCut['keep']

  constructor(codec: Codec, keep: TopicCut['keep']) {
    this.#codec = codec
    this.#keep = keep
  }

  /** @returns undefined: it is left out. What cannot be decoded is kept as it is: whoever reads the archive passes over it as the stations did */
  async of(record: IncomingRecord): Promise<ArchivedRecord | undefined> {
    const { offset, key, value, writtenMs = null } = record
    const archived = { offset, writtenMs, key, value }
    const keep = this.#keep
    if (keep.kind === 'keys') {
      const name = `${key ?? ''}`
      return keep.keys.some((one) => name === one || name.startsWith(`${one}/`)) ? archived : undefined
    }
    if (value === null || keep.kind === 'whole') return archived
    if (keep.kind === 'versions') {
      const label = await readable(() => this.#codec.decodeAs(Label, value))
      return label === undefined || keep.versions.includes(label.version) ? archived : undefined
    }
    const document = await readable(() => this.#codec.decodeAs(Document, value))
    if (document === undefined) return { ...archived, value: null }
    return { ...archived, value: this.#codec.encode(Document, { ...document, text: '' }) }
  }
}

/** The schemas of the values of an archive, by their ids. */
export class KeptSchemas {
  readonly #codec: Codec
  readonly #known: Map<number, string>
  readonly #unknown = new Set<number>()

  constructor(codec: Codec, known: readonly { id: number; schema: string }[]) {
    this.#codec = codec
    this.#known = new Map(known.map(({ id, schema }) => [id, schema]))
  }

  /** Whether the schema of this value is known now and was not before. @throws WinnowError UNREACHABLE */
  async learn(value: Buffer | null): Promise<boolean> {
    const id = value === null ? undefined : schemaIdOf(value)
    if (id === undefined || this.#known.has(id) || this.#unknown.has(id)) return false
    const schema = await this.#codec.schemaOf(id)
    if (schema === undefined) this.#unknown.add(id)
    else this.#known.set(id, schema)
    return schema !== undefined
  }

  get all(): { id: number; schema: string }[] {
    return [...this.#known].map(([id, schema]) => ({ id, schema })).sort((a, b) => a.id - b.id)
  }
}
