import { expect, test } from 'vitest'
import { json } from '../../../services/runtime/json.ts'

test('JSON output writes 64-bit ids as decimal strings and bytes as base64', () => {
  const value = { id: 2n ** 64n - 1n, bytes: new Uint8Array([1, 2, 255]), buffer: Buffer.from([1, 2, 255]), n: 1.5 }
  expect(json(value)).toBe('{"id":"18446744073709551615","bytes":"AQL/","buffer":"AQL/","n":1.5}')
})
