import type { DocumentId } from '../../schemas/index.ts'
import type { ReadText, SealedText } from '../../topologies/texts.ts'
import { WinnowError } from '../runtime/errors.ts'
import { isSealed, kidOf, open, seal, sealedBy, type TextKey } from './envelope.ts'
import type { MasterKeys, WrappedKey } from './master-keys.ts'
import { secretBytes } from './secret.ts'

/** Where keys of documents are kept, so that they can be destroyed. */
export interface TextKeys {
  /** They are there, and outlast the end of any process, once this resolves. The same again changes nothing. */
  add(keys: readonly WrappedKey[]): Promise<void>
  /** All that are kept of these documents, in any order. */
  of(ids: readonly DocumentId[]): Promise<WrappedKey[]>
  /** One that the newest epoch has wrapped; undefined: there is none. */
  newest(): Promise<WrappedKey | undefined>
  /** Those of these documents whose erasure somebody has asked for, whether their keys are gone or not. */
  askedToErase(ids: readonly DocumentId[]): Promise<ReadonlySet<DocumentId>>
}

/** Texts that ingest writes, and the keys that have to be kept before anybody can see them. */
export interface Sealed {
  readonly texts: readonly string[]
  readonly keys: readonly WrappedKey[]
}

/** What ingest encrypts by. */
export interface Sealing {
  /** Called once nobody else ingests. @throws WinnowError CONFIGURATION if the file of master keys is an older one, BAD_DATA if it is another */
  begin(): Promise<void>
  /** Each document gets a new key: what an interrupted ingest has kept of the same documents is never used. */
  seal(documents: readonly SealedText[]): Sealed
  keep(keys: readonly WrappedKey[]): Promise<void>
}

/**
 * The texts of a corpus: what ingest seals them by, and the one way of reading them. Without master keys nothing is sealed, and a text that was
 * is an error, lest a station takes ciphertext for prose.
 */
export class Texts {
  readonly masterKeys: MasterKeys | undefined
  readonly #keys: TextKeys

  constructor(keys: TextKeys, masterKeys?: MasterKeys) {
    this.#keys = keys
    this.masterKeys = masterKeys
  }

  /** Undefined: texts stay as they are. */
  get sealing(): Sealing | undefined {
    const { masterKeys } = this
    if (masterKeys === undefined) return undefined
    return {
      begin: async () => masterKeys.assertSame(await this.#keys.newest()),
      seal: (documents) => {
        const sealed = documents.map(({ docId, text }) => {
          const key = newKey(docId)
          return { text: seal(text, key), key: masterKeys.wrap(key) }
        })
        return { texts: sealed.map(({ text }) => text), keys: sealed.map(({ key }) => key) }
      },
      keep: (keys) => this.#keys.add(keys),
    }
  }

  /**
   * Texts of documents as they were ingested, in the given order. A text that is not sealed is returned as it is. Keys are asked for each time and
   * not kept, so that nothing is read after its key was destroyed.
   * @throws WinnowError CONFIGURATION without the master key of a text, GUARANTEE_VIOLATED if a key is gone though nobody has asked for that
   */
  readEach = async (documents: readonly SealedText[]): Promise<ReadText[]> => {
    const wanted = documents.filter(({ text }) => isSealed(text)).map(({ docId }) => docId)
    if (wanted.length === 0) return documents.map(({ text }) => text)
    const { masterKeys } = this
    if (masterKeys === undefined) {
      throw new WinnowError('CONFIGURATION', `the text of document ${wanted[0]} is encrypted, and no keys are named`, {
        hint: 'Name the file of master keys: corpus.encryption in winnow.yaml, or WINNOW_CORPUS_ENCRYPTION.',
      })
    }
    const wrapped = new Map((await this.#keys.of([...new Set(wanted)])).map((key) => [kidOf(key), key]))
    const lost: DocumentId[] = []
    const texts = documents.map(({ docId, text }): ReadText => {
      if (!isSealed(text)) return text
      try {
        const key = wrapped.get(kidOf({ docId, name: sealedBy(text, docId).name }))
        if (key !== undefined) return open(text, masterKeys.unwrap(key))
      } catch (error) {
        if (error instanceof WinnowError && error.code === 'BAD_DATA') return error
        throw error
      }
      lost.push(docId)
      return null
    })
    if (lost.length > 0) await this.#assertErased(lost)
    return texts
  }

  /** The same, for who can do nothing about a text that does not authenticate. @throws WinnowError BAD_DATA for one, and as `readEach` */
  async read(documents: readonly SealedText[]): Promise<(string | null)[]> {
    return (await this.readEach(documents)).map((text) => {
      if (text instanceof Error) throw text
      return text
    })
  }

  /** A key that is missing without an erasure is a loss: an older copy of ClickHouse, or another one, must not pass for erasures. */
  async #assertErased(ids: readonly DocumentId[]): Promise<void> {
    const erased = await this.#keys.askedToErase(ids)
    const lost = ids.find((docId) => !erased.has(docId))
    if (lost === undefined) return
    throw new WinnowError('GUARANTEE_VIOLATED', `ClickHouse has no key of document ${lost}, and no erasure of it`, {
      hint: 'Is this the ClickHouse that the corpus was ingested with? Its table text_keys is nowhere else: restore it, and its texts can be read.',
    })
  }
}

/** What is shown in place of a text that nobody can read any more. */
export const erasedText = '(erased: its key is destroyed)'

const newKey = (docId: DocumentId): TextKey => ({
  docId,
  name: Buffer.from(secretBytes(6)).toString('base64url'),
  bytes: secretBytes(32),
})
