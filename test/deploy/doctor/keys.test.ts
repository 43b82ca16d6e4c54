import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkKeyFile, judgeKeyFile, judgeTextKeys, type KeysFound } from '../../../deploy/doctor/keys.ts'
import { MasterKeys } from '../../../services/texts/master-keys.ts'
import { temporaryFolder } from '../../support/temporary.ts'

const folder = temporaryFolder('doctor-keys')
const path = 'keys.json'
const finished = { documents: 0, requests: [] }
const found = (more: Partial<KeysFound>): KeysFound => ({
  ...{ masterKeys: { path, epochs: [1] }, wrapped: [], another: undefined, cutOff: finished },
  ...more,
})

test('a file of master keys that is there is fine; one that is missing, or none, is a problem', () => {
  const file = join(folder, 'keys.json')
  expect(checkKeyFile(file)).toMatchObject({
    findings: [{ state: 'problem', found: expect.stringContaining('ENOENT'), mend: expect.stringContaining('create') }],
    masterKeys: undefined,
  })
  MasterKeys.create(file, 0)
  expect(checkKeyFile(file)).toMatchObject({ findings: [{ state: 'ok', found: file }], masterKeys: { epochs: [1] } })
  writeFileSync(file, '{"keys":[{"kid":"one"}]}')
  expect(checkKeyFile(file).findings).toMatchObject([{ state: 'problem', found: expect.stringContaining('no file') }])
})

test.runIf(process.getuid !== undefined)(
  'a file that others can read is a warning, with the command that mends it',
  () => {
    const file = join(folder, 'open.json')
    MasterKeys.create(file, 0)
    chmodSync(file, 0o644)
    expect(checkKeyFile(file).findings).toMatchObject([
      { state: 'warning', found: expect.stringContaining('644'), mend: expect.stringContaining(`chmod 600 ${file}`) },
    ])
  },
)

test('a mounted Secret belongs to root and is read by the own group: nobody else may, and nobody may write', () => {
  const state = (mode: number, uid: number) => judgeKeyFile(path, { mode: 0o100_000 | mode, uid }, 1000)[0]!.state
  expect([state(0o440, 0), state(0o600, 1000), state(0o400, 1000)]).toEqual(['ok', 'ok', 'ok'])
  expect([state(0o440, 1000), state(0o460, 0), state(0o444, 0), state(0o644, 0)]).toEqual(Array(4).fill('warning'))
})

test('encrypted texts without a file are a problem; where nothing is encrypted nothing is said', () => {
  expect(judgeTextKeys(found({ masterKeys: undefined }))).toEqual([])
  expect(judgeTextKeys(found({ masterKeys: undefined, wrapped: [{ epoch: 1, keys: 20 }] }))).toMatchObject([
    {
      state: 'problem',
      found: expect.stringContaining('20 keys of encrypted texts'),
      mend: expect.stringContaining('WINNOW_CORPUS_ENCRYPTION'),
    },
  ])
})

test('a file with all that has wrapped keys is fine, one without some is a problem for each, as is another file', () => {
  expect(judgeTextKeys(found({}))).toMatchObject([{ state: 'ok', found: 'none yet' }])
  const wrapped = [
    { epoch: 2, keys: 20 },
    { epoch: 3, keys: 5 },
  ]
  expect(judgeTextKeys(found({ wrapped: [{ epoch: 1, keys: 7 }] }))).toMatchObject([
    { state: 'ok', found: '7, all wrapped by epoch 1' },
  ])
  expect(judgeTextKeys(found({ wrapped, masterKeys: { path, epochs: [2] } }))).toMatchObject([
    { state: 'problem', found: expect.stringMatching(/epoch 3, by which 5 /), mend: expect.stringContaining('rotate') },
  ])
  expect(judgeTextKeys(found({ wrapped, masterKeys: { path, epochs: [3] } }))).toMatchObject([
    { state: 'problem', found: expect.stringMatching(/epoch 2, by which 20 /), mend: expect.stringContaining('copy') },
  ])
  const another = { message: 'the key 1.a of epoch 1 does not unwrap', hint: 'Is it the file?' }
  expect(judgeTextKeys(found({ wrapped: [{ epoch: 1, keys: 7 }], another }))).toMatchObject([
    { state: 'problem', found: another.message, mend: another.hint },
  ])
})

test('a rotation that is not at its end, and master keys that wrap nothing any more, are warnings with the next command', () => {
  const masterKeys = { path, epochs: [1, 2, 3] }
  const wrapped = [
    { epoch: 2, keys: 20 },
    { epoch: 3, keys: 5 },
  ]
  expect(judgeTextKeys(found({ masterKeys, wrapped }))).toMatchObject([
    { state: 'warning', found: expect.stringMatching(/^20 are wrapped/), mend: 'winnow keys rotate --go-on' },
    {
      state: 'warning',
      found: expect.stringMatching(/^1 older ones are still in keys.json, of epoch 1:/),
      mend: expect.stringContaining('winnow keys drop'),
    },
  ])
})

test('an erasure that left keys is told with the command that finishes it, whether a file is named or not', () => {
  const cutOff = { documents: 2, requests: ['request-17', 'request-18'] }
  const wrapped = [{ epoch: 1, keys: 7 }]
  const unfinished = {
    ...{ state: 'warning', found: expect.stringMatching(/^2 documents are erased and have their keys still/) },
    mend: 'Finish it: winnow erase request-17, winnow erase request-18',
  }
  expect(judgeTextKeys(found({ wrapped, cutOff }))).toMatchObject([{ state: 'ok' }, unfinished])
  expect(judgeTextKeys(found({ wrapped, cutOff, masterKeys: undefined }))).toMatchObject([
    { state: 'problem' },
    unfinished,
  ])
})
