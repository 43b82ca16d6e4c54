import { randomBytes } from 'node:crypto'
import { base64url, compactDecrypt } from 'jose'
import { expect, test } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import { isSealed, open, seal, type TextKey } from '../../../services/texts/envelope.ts'

const keyOf = (id: bigint, name = 'abcdefgh'): TextKey => ({ docId: asDocumentId(id), name, bytes: randomBytes(32) })

test.for(['', 'a text', 'Ünïcödé, 漢字 and 🜁', 'again and again, '.repeat(100_000)])(
  'a text comes back as it was, however it looks (%#)',
  async (text) => {
    const key = keyOf(2n ** 64n - 1n)
    const sealed = seal(text, key)
    expect(isSealed(sealed)).toBe(true)
    expect(open(sealed, key)).toBe(text)
    expect(sealed.length).toBeLessThan(400 + text.length)
  },
)

test('what is sealed is a JWE that any library reads, and says nothing of the text but its length', async () => {
  const key = keyOf(7n)
  const sealed = seal('secret words', key)
  expect(JSON.parse(Buffer.from(sealed.split('.')[0]!, 'base64url').toString())).toEqual({
    ...{ alg: 'dir', enc: 'A256GCM', typ: 'winnow-text-1', kid: '7.abcdefgh' },
  })
  expect(await compactDecrypt(sealed, key.bytes)).toMatchObject({ protectedHeader: { kid: '7.abcdefgh' } })
  expect(sealed).not.toContain('secret')
  expect(seal('secret words', key)).not.toBe(sealed)
})

test('a text that is put in the place of another does not open, whatever its header says', async () => {
  const [key, other] = [keyOf(7n), keyOf(8n)]
  const sealed = seal('of document 7', key)
  expect(() => open(sealed, other)).toThrow('document 8 was sealed as that of another')
  // With the key of document 7 as well: the id is authenticated.
  const [, ...rest] = sealed.split('.')
  const header = { alg: 'dir', enc: 'A256GCM', typ: 'winnow-text-1', kid: '8.abcdefgh' }
  const moved = [base64url.encode(JSON.stringify(header)), ...rest].join('.')
  expect(isSealed(moved)).toBe(true)
  expect(() => open(moved, { ...other, bytes: key.bytes })).toThrow('document 8 does not authenticate')
})

test('a text that was changed, or another key, does not open', async () => {
  const key = keyOf(7n)
  const sealed = seal('a text of some words', key)
  const at = sealed.length - 40
  const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`
  expect(() => open(changed, key)).toThrow('does not authenticate')
  expect(() => open(sealed, { ...key, bytes: randomBytes(32) })).toThrow('does not authenticate')
})

test('prose, other JWEs and what merely begins like a sealed text are texts', async () => {
  const sealed = seal('a text', keyOf(7n))
  const other = sealed.replace(/^[^.]+/, base64url.encode('{"alg":"dir","enc":"A256GCM"}'))
  for (const text of ['', 'eyJhbGciOiJkaXIi', other, `${sealed} `, `see ${sealed}`, sealed.slice(0, 60)])
    expect(isSealed(text)).toBe(false)
})
