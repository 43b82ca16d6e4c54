import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import type { DocumentId } from '../../schemas/index.ts'
import { WinnowError } from '../runtime/errors.ts'
import { kidOf, type TextKey } from './envelope.ts'
import { decryptWrapped, encryptWrapped } from './jwe.ts'
import { secretBytes } from './secret.ts'

/** A document's key as it is stored: wrapped by the master key of an epoch. */
export interface WrappedKey {
  readonly docId: DocumentId
  readonly name: string
  readonly epoch: number
  /** An encrypted JWK (RFC 7517, section 7) in compact form: A256KW, A256GCM. */
  readonly wrapped: string
}

const file = z.object({
  keys: z
    .array(
      z.object({
        kty: z.literal('oct'),
        kid: z.string().regex(/^[1-9]\d{0,8}$/, 'must be the number of an epoch, 1 or more'),
        k: z.string().regex(/^[\w-]{43}$/, 'must be 256 bits in base64url'),
        /** Since when it wraps; left out: since ever. */
        created: z.iso.datetime().optional(),
      }),
    )
    .min(1)
    .refine((keys) => new Set(keys.map(({ kid }) => kid)).size === keys.length, 'must not have an epoch twice'),
})

const wrappedForm = z.object({ kty: z.literal('oct'), kid: z.string(), k: z.string() })

/**
 * The keys by which keys of documents are wrapped: a JWK Set (RFC 7517) with a key for each epoch, whose `kid` is its number. The newest wraps;
 * the others open what they have wrapped. The file is read again where an epoch is asked for that it did not have.
 */
export class MasterKeys {
  readonly path: string
  #keys: Epochs

  private constructor(path: string, keys: Epochs) {
    this.path = path
    this.#keys = keys
  }

  /** @throws WinnowError CONFIGURATION if the file is not there, or no such set */
  static load(path: string): MasterKeys {
    return new MasterKeys(path, readKeys(path))
  }

  /** Writes a file with one key, of epoch 1, that only its owner can read. @throws WinnowError CONFIGURATION if there is a file already */
  static create(path: string, nowMs: number): MasterKeys {
    try {
      writeFileSync(path, textOf(new Map([[1, newKey(nowMs)]])), { mode: 0o600, flag: 'wx' })
    } catch (cause) {
      throw new WinnowError('CONFIGURATION', `${path} cannot be made: ${(cause as Error).message}`, {
        hint: 'A file that is there is never overwritten: without its keys no text can be read.',
        cause,
      })
    }
    return MasterKeys.load(path)
  }

  /** Ascending. */
  get epochs(): number[] {
    return [...this.#keys.keys()].sort((a, b) => a - b)
  }

  get newest(): number {
    return this.epochs.at(-1)!
  }

  /** The epochs that had begun by a time, ascending: theirs are the keys by which anything was wrapped until then. */
  begunBy(timeMs: number): number[] {
    const begun = [...this.#keys].filter(([, { created }]) => created === undefined || Date.parse(created) <= timeMs)
    return begun.map(([epoch]) => epoch).sort((a, b) => a - b)
  }

  /**
   * @param known a key of a document that the newest epoch there is has wrapped
   * @throws WinnowError CONFIGURATION if the file is older, also when it is read again, BAD_DATA if it is another file
   */
  assertSame(known: WrappedKey | undefined): void {
    if (known === undefined) return
    const { epoch } = known
    if (this.newest < epoch) this.#keys = readKeys(this.path)
    if (this.newest >= epoch) return void this.unwrap(known)
    throw new WinnowError(
      'CONFIGURATION',
      `${this.path} ends with epoch ${this.newest}, and ClickHouse has keys of epoch ${epoch}`,
      { hint: "Take the file as 'winnow keys rotate' has written it, where that was called." },
    )
  }

  /** Adds the key of another epoch to the file, which then is the newest. @returns its number */
  addEpoch(nowMs: number): number {
    const keys = new Map(readKeys(this.path))
    const epoch = Math.max(...keys.keys()) + 1
    this.#replace(keys.set(epoch, newKey(nowMs)))
    return epoch
  }

  /** Takes all epochs but the newest out of the file, whose keys then are in no copy of it that winnow knows of. @returns their numbers */
  dropOlder(): number[] {
    const { newest, epochs } = this
    this.#replace(new Map([...this.#keys].filter(([epoch]) => epoch === newest)))
    return epochs.filter((epoch) => epoch !== newest)
  }

  wrap({ docId, name, bytes }: TextKey): WrappedKey {
    const epoch = this.newest
    const jwk = JSON.stringify({ kty: 'oct', kid: kidOf({ docId, name }), k: base64url(bytes) })
    const header = { cty: 'jwk+json', kid: `${epoch}` }
    return { docId, name, epoch, wrapped: encryptWrapped(Buffer.from(jwk), header, this.#keyOf(epoch)) }
  }

  /** @throws WinnowError CONFIGURATION if the file does not have its epoch, BAD_DATA if it is not this document's */
  unwrap({ docId, name, epoch, wrapped }: WrappedKey): TextKey {
    const key = this.#keyOf(epoch)
    try {
      const { kid, k } = wrappedForm.parse(JSON.parse(decryptWrapped(wrapped, key).toString('utf8')))
      if (kid !== kidOf({ docId, name })) throw new Error(`it is the key ${kid}`)
      return { docId, name, bytes: new Uint8Array(Buffer.from(k, 'base64url')) }
    } catch (cause) {
      throw new WinnowError(
        'BAD_DATA',
        `the key ${kidOf({ docId, name })} of epoch ${epoch} does not unwrap: ${(cause as Error).message}`,
        { hint: `Is ${this.path} the file by which this corpus was ingested?`, cause },
      )
    }
  }

  #keyOf(epoch: number): Uint8Array {
    if (!this.#keys.has(epoch)) this.#keys = readKeys(this.path)
    const key = this.#keys.get(epoch)
    if (key !== undefined) return key.bytes
    throw new WinnowError('CONFIGURATION', `${this.path} has no master key of epoch ${epoch}`, {
      hint: `It has ${this.epochs.join(', ')}. Give every reader the file as 'winnow keys rotate' has written it.`,
    })
  }

  #replace(keys: Epochs): void {
    // By another name first: a file that is half written would lose every text.
    writeFileSync(`${this.path}.new`, textOf(keys), { mode: 0o600, flush: true })
    renameSync(`${this.path}.new`, this.path)
    this.#keys = keys
  }
}

interface MasterKey {
  readonly bytes: Uint8Array
  readonly created: string | undefined
}

type Epochs = ReadonlyMap<number, MasterKey>

const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')

const newKey = (nowMs: number): MasterKey => ({ bytes: secretBytes(32), created: new Date(nowMs).toISOString() })

function readKeys(path: string): Epochs {
  try {
    const { keys } = file.parse(JSON.parse(readFileSync(path, 'utf8')))
    return new Map(keys.map(({ kid, k, created }) => [Number(kid), { bytes: Buffer.from(k, 'base64url'), created }]))
  } catch (error) {
    // Neither the text nor the cause: they hold secrets.
    throw new WinnowError('CONFIGURATION', `corpus.encryption: ${path} is no file of master keys: ${whyNot(error)}`, {
      hint: "'winnow keys create FILE' makes one. It is a JWK Set of keys of 256 bits (kty oct), whose kid is the number of an epoch.",
    })
  }
}

function whyNot(error: unknown): string {
  if (error instanceof SyntaxError) return 'it is not JSON'
  if (!(error instanceof z.ZodError)) return (error as Error).message
  return z.prettifyError(error).replaceAll(/\s+/g, ' ')
}

function textOf(epochs: Epochs): string {
  const keys = [...epochs].map(([epoch, { bytes, created }]) => {
    return { kty: 'oct', kid: `${epoch}`, alg: 'A256KW', created, k: base64url(bytes) }
  })
  return `${JSON.stringify({ keys }, null, 2)}\n`
}
