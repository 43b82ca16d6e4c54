import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Config } from '../../../services/config/config.ts'
import { signatureOf, signerFrom, verifySignature } from '../../../services/runtime/signature.ts'
import { cliOn } from '../../support/cli.ts'
import type { MemoryRuntime } from '../../support/memory-runtime.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-signature-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string) => join(folder, name)
const write = (name: string, content: string | Buffer) => {
  writeFileSync(at(name), content)
  return at(name)
}
const pem = { type: 'pkcs8', format: 'pem' } as const
const pair = (name: string) => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const publicPem = publicKey.export({ type: 'spki', format: 'pem' })
  return { public: write(`${name}.public.pem`, publicPem), private: write(`${name}.pem`, privateKey.export(pem)) }
}
const ours = pair('ours')
const signed = async (name: string) => {
  const file = write(name, `{"request": "${name}"}\n`)
  await (await signerFrom(ours.private)).sign(file)
  return file
}

test('a signature holds for the file, by the key, and for nothing else', async () => {
  const file = await signed('receipt.json')
  const keyDigest = await verifySignature(file, ours.public)
  expect(keyDigest).toMatch(/^[0-9a-f]{64}$/)
  await expect(verifySignature(file, pair('others').public)).rejects.toMatchObject({ code: 'GUARANTEE_VIOLATED' })
  const bytes = readFileSync(file)
  bytes[3]! ^= 1
  writeFileSync(file, bytes)
  await expect(verifySignature(file, ours.public)).rejects.toMatchObject({ code: 'GUARANTEE_VIOLATED', exitCode: 6 })
  bytes[3]! ^= 1
  writeFileSync(file, bytes)
  expect(await verifySignature(file, ours.public)).toBe(keyDigest)
  write('receipt.json.sig', readFileSync(signatureOf(file)).subarray(1))
  await expect(verifySignature(file, ours.public)).rejects.toMatchObject({ code: 'GUARANTEE_VIOLATED' })
})

test('a key that is none is told by its file, and so is a signature that is not there', async () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(pem)
  const cases = [
    [at('none.pem'), 'none.pem cannot be read'],
    [write('text.pem', 'no key'), 'has no private key in PEM'],
    [write('public.pem', readFileSync(ours.public)), 'has no private key in PEM'],
    [write('ec.pem', other), 'has a key of ec, not Ed25519'],
  ] as const
  for (const [file, message] of cases)
    await expect(signerFrom(file)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining(message),
    })
  const file = write('unsigned.json', '{}')
  await expect(verifySignature(file, ours.public)).rejects.toMatchObject({
    ...{ code: 'BAD_DATA', message: `${file}.sig cannot be read` },
  })
})

test('winnow verify checks a signed file by the public key alone; what signs needs a file to sign', async () => {
  const winnow = cliOn({} as MemoryRuntime, undefined as unknown as Config, folder)
  const file = await signed('by-hand.json')
  expect(await winnow('verify', file, '--key', ours.public)).toMatchObject({
    ...{
      code: 0,
      stdout: expect.stringContaining(`holds: ${file} is as it was signed, signed by the key with SHA-256 `),
    },
  })
  writeFileSync(file, '{}')
  expect((await winnow('verify', file, '--key', ours.public)).code).toBe(6)
  expect((await winnow('verify', file)).code).toBe(2)
  for (const command of [['erase', 'request'], ['prove', '1', '--run', 'r'], ['summary']])
    expect(await winnow(...command, '--key', ours.private)).toMatchObject({
      ...{ code: 2, stderr: expect.stringContaining('--key needs a file to sign') },
    })
})

const openssl = spawnSync('openssl', ['version']).status === 0
test.skipIf(!openssl)('openssl, where there is one, makes the keys and checks the signatures', async () => {
  const run = (...args: string[]) => spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' })
  expect(run('genpkey', '-algorithm', 'ed25519', '-out', 'made.pem').status).toBe(0)
  expect(run('pkey', '-in', 'made.pem', '-pubout', '-out', 'made.public.pem').status).toBe(0)
  const file = write('long.json', 'x'.repeat(100_000))
  await (await signerFrom(at('made.pem'))).sign(file)
  await verifySignature(file, at('made.public.pem'))
  const check = ['pkeyutl', '-verify', '-pubin', '-inkey', 'made.public.pem', '-rawin', '-in', 'long.json']
  expect(run(...check, '-sigfile', 'long.json.sig').status).toBe(0)
  expect(run(...check, '-sigfile', 'by-hand.json.sig').status).not.toBe(0)
})
