import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { DocumentId } from '../../schemas/index.ts'
import { WinnowError } from '../runtime/errors.ts'
import { decryptDirectly, encryptDirectly, headerOf } from './jwe.ts'

/**
 * What stands before everything else in the protected header of a sealed text. The number in `typ` says what is inside: 1 is the text in UTF-8,
 * compressed by DEFLATE (RFC 1951) before it is encrypted. JWE's own `zip` says the same, and libraries differ in whether they read it.
 */
const headerBegin = { alg: 'dir', enc: 'A256GCM', typ: 'winnow-text-1' } as const

/** What every sealed text begins with: the same in base64url, as far as it does not depend on what follows. */
export const sealedBegin = (() => {
  const bytes = Buffer.from(JSON.stringify(headerBegin).slice(0, -1))
  return bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64url')
})()

/** Characters that have an own meaning in no base64url: header, no key, initialization vector (96 bits), ciphertext, tag (128 bits). */
const form = /^[\w-]+\.\.[\w-]{16}\.[\w-]*\.[\w-]{22}$/

/** Whether a text is one that was sealed: it is read with its document's key. Of any other text it costs a comparison of some characters. */
export const isSealed = (text: string): boolean => text.startsWith(sealedBegin) && form.test(text)

/** A key of a document, 256 bits. `name` tells it from other keys of the document, which only an interrupted ingest leaves behind. */
export interface TextKey {
  readonly docId: DocumentId
  readonly name: string
  readonly bytes: Uint8Array
}

/** What a sealed text says of itself. */
export interface SealedBy {
  readonly docId: DocumentId
  readonly name: string
}

/**
 * The text as a JWE in compact form (RFC 7516), encrypted with AES-256-GCM under its document's key (`alg: dir`). The id of the document is part
 * of what is authenticated, so that none can be put in another's place.
 */
export function seal(text: string, { docId, name, bytes }: TextKey): string {
  const plain = Buffer.from(text, 'utf8')
  // Not in a thread of its own: for a text of some kilobytes handing it over takes twice as long. Nor with the 16 KiB that are allocated else.
  const deflated = deflateRawSync(plain, { chunkSize: Math.max(64, plain.length) })
  return encryptDirectly(deflated, { typ: headerBegin.typ, kid: kidOf({ docId, name }) }, bytes)
}

/** Which key a sealed text wants. @throws WinnowError BAD_DATA if that is none of this document */
export function sealedBy(text: string, docId: DocumentId): SealedBy {
  const { kid } = headerIn(text)
  const [, id, name] = /^(\d{1,20})\.([\w-]{8})$/.exec(typeof kid === 'string' ? kid : '') ?? []
  if (name === undefined || id !== `${docId}`)
    throw new WinnowError(
      'BAD_DATA',
      `the text of document ${docId} was sealed as that of another: its key is ${JSON.stringify(kid)?.slice(0, 200)}`,
    )
  return { docId, name }
}

/** @throws WinnowError BAD_DATA if the text was not sealed by this key, or was changed since */
export function open(sealed: string, key: TextKey): string {
  sealedBy(sealed, key.docId)
  try {
    return inflateRawSync(decryptDirectly(sealed, key.bytes)).toString('utf8')
  } catch (cause) {
    throw new WinnowError('BAD_DATA', `the text of document ${key.docId} does not authenticate`, {
      hint: 'It was changed after ingest had written it, or its key is not its own.',
      cause,
    })
  }
}

/** How a key is named in headers. */
export const kidOf = ({ docId, name }: SealedBy): string => `${docId}.${name}`

function headerIn(text: string): Readonly<Record<string, unknown>> {
  try {
    return headerOf(text)
  } catch {
    return {}
  }
}
