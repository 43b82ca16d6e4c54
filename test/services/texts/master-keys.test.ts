import { randomBytes } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import { MasterKeys } from '../../../services/texts/master-keys.ts'
import { folder } from '../ingest/support.ts'

const key = { docId: asDocumentId(7n), name: 'abcdefgh', bytes: new Uint8Array(randomBytes(32)) }
const newFile = () => join(folder(), 'keys.json')

test('a file of master keys is for its owner alone, and never overwritten', () => {
  const path = newFile()
  expect(MasterKeys.create(path, 0).epochs).toEqual([1])
  expect(statSync(path).mode & 0o777).toBe(0o600)
  const before = readFileSync(path, 'utf8')
  expect(() => MasterKeys.create(path, 0)).toThrow('cannot be made')
  expect(readFileSync(path, 'utf8')).toBe(before)
})

test('the newest epoch wraps, and those before it open what they have wrapped until they are dropped', async () => {
  const path = newFile()
  const keys = MasterKeys.create(path, 0)
  const first = keys.wrap(key)
  expect(first).toMatchObject({ docId: 7n, name: 'abcdefgh', epoch: 1 })
  expect(keys.addEpoch(0)).toBe(2)
  const second = keys.wrap(key)
  expect(second.epoch).toBe(2)
  expect(keys.unwrap(first)).toEqual(key)
  expect(keys.unwrap(second)).toEqual(key)
  expect(keys.dropOlder()).toEqual([1])
  expect(MasterKeys.load(path).epochs).toEqual([2])
  expect(() => keys.unwrap(first)).toThrow('no master key of epoch 1')
  expect(keys.unwrap(second)).toEqual(key)
})

test('a process that began before an epoch reads its keys from the file', async () => {
  const path = newFile()
  MasterKeys.create(path, 0)
  const [older, newer] = [MasterKeys.load(path), MasterKeys.load(path)]
  newer.addEpoch(0)
  expect(older.unwrap(newer.wrap(key))).toEqual(key)
})

test('a key is unwrapped for its own document alone, and by its own master key', async () => {
  const keys = MasterKeys.create(newFile(), 0)
  const wrapped = keys.wrap(key)
  expect(() => keys.unwrap({ ...wrapped, docId: asDocumentId(8n) })).toThrow('does not unwrap: it is the key 7.')
  expect(() => keys.unwrap({ ...wrapped, name: 'hgfedcba' })).toThrow('does not unwrap')
  expect(() => MasterKeys.create(newFile(), 0).unwrap(wrapped)).toThrow('does not unwrap')
})

test.for([
  ['not JSON', '{'],
  ['no keys', '{"keys":[]}'],
  ['a short key', '{"keys":[{"kty":"oct","kid":"1","k":"AAAA"}]}'],
  ['no epoch', `{"keys":[{"kty":"oct","kid":"first","k":"${'A'.repeat(43)}"}]}`],
  ['an epoch twice', JSON.stringify({ keys: Array(2).fill({ kty: 'oct', kid: '1', k: 'A'.repeat(43) }) })],
])('a file with %s is refused with its name and what it should be, and without what is in it', ([, text]) => {
  const path = newFile()
  writeFileSync(path, text!)
  expect(() => MasterKeys.load(path)).toThrow(`${path} is no file of master keys`)
  try {
    MasterKeys.load(path)
  } catch (error) {
    expect(String(error)).not.toContain('A'.repeat(43))
    expect((error as { hint: string }).hint).toContain('winnow keys create')
  }
  expect(() => MasterKeys.load(`${path}.gone`)).toThrow('no such file')
})
