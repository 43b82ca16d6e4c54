import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto'
import { secretBytes } from './secret.ts'

/**
 * JSON Web Encryption in compact form (RFC 7516, section 7.1), encrypted with A256GCM (RFC 7518, section 5.3), as far as texts and their keys need it. What encrypts is OpenSSL, by `node:crypto`;
 * here are the five parts and what of them is authenticated. (Keys become key objects first: Node.js takes 40 µs to find out that bytes are none.) `jose`, which by WebCrypto takes 15 times as long for a short text, reads and writes the same in the tests.
 */
const enc = 'A256GCM'
const ivBytes = 12
const tagBytes = 16

/** The initial value of RFC 3394, section 2.2.3.1, by which a key is known to have been unwrapped by its own. */
const keyWrapIv = Buffer.alloc(8, 0xa6)

type Alg = 'dir' | 'A256KW'
type Header = Readonly<Record<string, string>>

/** A JWE whose content is encrypted by this key itself (`alg: dir`). @param header protected; alg and enc are its first */
export const encryptDirectly = (plaintext: Uint8Array, header: Header, key: Uint8Array): string =>
  encrypted(plaintext, { alg: 'dir', enc, ...header }, key, '')

/** A JWE with a content key of its own, which this key wraps (`alg: A256KW`, RFC 3394). */
export function encryptWrapped(plaintext: Uint8Array, header: Header, key: Uint8Array): string {
  const contentKey = secretBytes(32)
  const wrap = createCipheriv('id-aes256-wrap', createSecretKey(key), keyWrapIv)
  const wrapped = Buffer.concat([wrap.update(contentKey), wrap.final()])
  return encrypted(plaintext, { alg: 'A256KW', enc, ...header }, contentKey, wrapped.toString('base64url'))
}

/** @throws Error if it is not such a JWE, was changed, or was encrypted by another key */
export function decryptDirectly(jwe: string, key: Uint8Array): Buffer {
  const { wrapped, decrypt } = parsed(jwe, 'dir')
  if (wrapped.length > 0) throw new Error('a key stands in it')
  return decrypt(key)
}

/** @throws Error as `decryptDirectly` */
export function decryptWrapped(jwe: string, key: Uint8Array): Buffer {
  const { wrapped, decrypt } = parsed(jwe, 'A256KW')
  const unwrap = createDecipheriv('id-aes256-wrap', createSecretKey(key), keyWrapIv)
  return decrypt(Buffer.concat([unwrap.update(wrapped), unwrap.final()]))
}

/** The protected header, of which nothing is authenticated yet. @throws Error if it is none */
export function headerOf(jwe: string): Readonly<Record<string, unknown>> {
  const header: unknown = JSON.parse(Buffer.from(jwe.slice(0, jwe.indexOf('.')), 'base64url').toString('utf8'))
  if (typeof header === 'object' && header !== null) return header as Record<string, unknown>
  throw new Error('its header is no object')
}

function encrypted(plaintext: Uint8Array, header: Header, contentKey: Uint8Array, wrapped: string): string {
  const head = Buffer.from(JSON.stringify(header)).toString('base64url')
  const iv = Buffer.from(secretBytes(ivBytes))
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(contentKey), iv, { authTagLength: tagBytes })
  cipher.setAAD(Buffer.from(head, 'ascii'))
  const text = Buffer.concat([cipher.update(plaintext), cipher.final()])
  const parts = [iv, text, cipher.getAuthTag()].map((part) => part.toString('base64url'))
  return [head, wrapped, ...parts].join('.')
}

function parsed(jwe: string, alg: Alg): { wrapped: Buffer; decrypt: (contentKey: Uint8Array) => Buffer } {
  const parts = jwe.split('.')
  const header = headerOf(jwe)
  // Extensions that must be understood, and compression, are none that winnow writes.
  if (parts.length !== 5 || header.alg !== alg || header.enc !== enc || 'crit' in header || 'zip' in header)
    throw new Error(`it is no JWE with ${alg} and ${enc}`)
  const [wrapped, iv, text, tag] = parts.slice(1).map((part) => Buffer.from(part, 'base64url'))
  if (iv!.length !== ivBytes || tag!.length !== tagBytes) throw new Error('its vector or tag is of another length')
  const decrypt = (contentKey: Uint8Array) => {
    const decipher = createDecipheriv('aes-256-gcm', createSecretKey(contentKey), iv!, { authTagLength: tagBytes })
    decipher.setAAD(Buffer.from(parts[0]!, 'ascii')).setAuthTag(tag!)
    return Buffer.concat([decipher.update(text!), decipher.final()])
  }
  return { wrapped: wrapped!, decrypt }
}
