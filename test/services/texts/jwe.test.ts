// JWEs as `jose` writes and reads them, and what it would refuse.
import { randomBytes } from 'node:crypto'
import { CompactEncrypt, compactDecrypt } from 'jose'
import { expect, test } from 'vitest'
import {
  decryptDirectly,
  decryptWrapped,
  encryptDirectly,
  encryptWrapped,
  headerOf,
} from '../../../services/texts/jwe.ts'

const key = new Uint8Array(randomBytes(32))
const directly = { alg: 'dir', own: encryptDirectly, read: decryptDirectly } as const
const wrapped = { alg: 'A256KW', own: encryptWrapped, read: decryptWrapped } as const
const lengths = [0, 1, 15, 16, 17, 100_000]

test.for([directly, wrapped])(
  'what is written with $alg another library reads, and the other way round',
  async ({ alg, own, read }) => {
    for (const length of lengths) {
      const plaintext = new Uint8Array(randomBytes(length))
      const ours = own(plaintext, { kid: '7.ünï' }, key)
      const decrypted = await compactDecrypt(ours, key)
      expect(decrypted.protectedHeader).toEqual({ alg, enc: 'A256GCM', kid: '7.ünï' })
      expect(new Uint8Array(decrypted.plaintext)).toEqual(plaintext)
      expect(headerOf(ours)).toEqual(decrypted.protectedHeader)
      const theirs = await new CompactEncrypt(plaintext)
        .setProtectedHeader({ alg, enc: 'A256GCM', kid: '8' })
        .encrypt(key)
      expect(new Uint8Array(read(theirs, key))).toEqual(plaintext)
      expect(
        theirs
          .split('.')
          .map((part) => part.length)
          .slice(1),
      ).toEqual(
        ours
          .split('.')
          .map((part) => part.length)
          .slice(1),
      )
    }
  },
)

test.for([directly, wrapped])(
  'no part of a JWE with $alg can be changed, left out or made shorter',
  ({ own, read }) => {
    const parts = own(Buffer.from('a text'), { kid: '7' }, key).split('.')
    const readAs = (changed: readonly string[]) => () => read(changed.join('.'), key)
    expect(readAs(parts)()).toEqual(Buffer.from('a text'))
    for (const [at, part] of parts.entries()) {
      if (part === '') continue
      const bytes = Buffer.from(part, 'base64url')
      bytes[bytes.length >> 1]! ^= 1
      expect(readAs(parts.with(at, bytes.toString('base64url')))).toThrow()
      // A tag of some bytes would be guessed.
      expect(readAs(parts.with(at, Buffer.from(part, 'base64url').subarray(0, -4).toString('base64url')))).toThrow()
      expect(readAs(parts.with(at, ''))).toThrow()
      expect(readAs(parts.toSpliced(at, 1))).toThrow()
    }
    expect(() => read(parts.join('.'), randomBytes(32))).toThrow()
  },
)

test('a JWE of another kind is refused, also where its key would fit', async () => {
  const refused = 'it is no JWE with'
  expect(() => decryptDirectly(encryptWrapped(Buffer.from('a'), {}, key), key)).toThrow(refused)
  expect(() => decryptWrapped(encryptDirectly(Buffer.from('a'), {}, key), key)).toThrow(refused)
  // Who wrote this wants it to be read by those alone who know what it means.
  const extended = await new CompactEncrypt(Buffer.from('a'))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', crit: ['b'], b: 1 })
    .encrypt(key, { crit: { b: true } })
  expect(() => decryptDirectly(extended, key)).toThrow(refused)
  for (const jwe of ['', '.', 'bnVsbA....', 'e30....', `${encryptDirectly(Buffer.from('a'), {}, key)}.`])
    expect(() => decryptDirectly(jwe, key)).toThrow()
  const [head, , ...rest] = encryptDirectly(Buffer.from('a'), {}, key).split('.')
  expect(() => decryptDirectly([head, 'AAAA', ...rest].join('.'), key)).toThrow('a key stands in it')
})

test('no two have the same vector, and none the same content key', () => {
  const all = Array.from({ length: 1000 }, () => encryptWrapped(Buffer.from('a'), {}, key).split('.'))
  for (const part of [1, 2]) expect(new Set(all.map((parts) => parts[part])).size).toBe(1000)
})
