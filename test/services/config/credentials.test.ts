import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { credentialsOf, secretOf } from '../../../services/config/credentials.ts'
import { loadConfig } from '../../../services/config/load.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-credentials-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const secretFile = join(folder, 'secret')
writeFileSync(secretFile, 'from a file\n')
writeFileSync(join(folder, 'ca.pem'), 'certificates')

const credentials = (env: NodeJS.ProcessEnv) => credentialsOf(loadConfig({ env, folder }), env)

test('without any setting there are no credentials', () => {
  expect(credentials({})).toEqual({})
})

test('a password comes from its variable, or from the file that the variable with _FILE names', () => {
  const env = { WINNOW_KAFKA_SASL: 'scram-sha-512', WINNOW_KAFKA_USERNAME: 'ingest' }
  const sasl = { mechanism: 'scram-sha-512', username: 'ingest' }
  expect(credentials({ ...env, WINNOW_KAFKA_PASSWORD: 'p' })).toEqual({ kafka: { sasl: { ...sasl, password: 'p' } } })
  expect(credentials({ ...env, WINNOW_KAFKA_PASSWORD_FILE: secretFile })).toEqual({
    kafka: { sasl: { ...sasl, password: 'from a file' } },
  })
  expect(() => secretOf({ X: 'a', X_FILE: secretFile }, 'X')).toThrow(/both X and X_FILE/)
})

test('a login without its secret is refused, naming the variables that may hold it', () => {
  const hint = expect.stringContaining('_FILE')
  for (const env of [
    { WINNOW_KAFKA_SASL: 'plain', WINNOW_KAFKA_USERNAME: 'u' },
    { WINNOW_KAFKA_SASL: 'oauthbearer' },
    { WINNOW_REGISTRY_USERNAME: 'u' },
    { WINNOW_CLICKHOUSE_USERNAME: 'u' },
  ]) {
    expect(() => credentials(env)).toThrow(expect.objectContaining({ code: 'CONFIGURATION', hint }))
  }
  expect(() => credentials({ WINNOW_KAFKA_SASL: 'plain' })).toThrow(/kafka.username is missing/)
})

test('the OAUTHBEARER token is read again for every connection', async () => {
  const file = join(folder, 'token')
  writeFileSync(file, 'first')
  const { kafka } = credentials({ WINNOW_KAFKA_SASL: 'oauthbearer', WINNOW_KAFKA_TOKEN_FILE: file })
  const { oauthBearerProvider } = kafka!.sasl as { oauthBearerProvider: () => Promise<{ value: string }> }
  expect(await oauthBearerProvider()).toEqual({ value: 'first' })
  writeFileSync(file, 'second')
  expect(await oauthBearerProvider()).toEqual({ value: 'second' })
})

test('certificates are files relative to the configuration file, and need TLS', () => {
  expect(credentials({ WINNOW_KAFKA_TLS: 'true', WINNOW_KAFKA_CA: 'ca.pem' })).toEqual({
    kafka: { ssl: { ca: 'certificates' } },
  })
  expect(credentials({ WINNOW_KAFKA_CA: 'ca.pem' })).toEqual({})
  expect(() => credentials({ WINNOW_KAFKA_TLS: 'true', WINNOW_KAFKA_CA: 'none.pem' })).toThrow(
    /none\.pem cannot be read/,
  )
})

test.each(['registry', 'clickhouse'])('a file with a password in the address of %s is refused', (section) => {
  const file = join(folder, `${section}.yaml`)
  writeFileSync(file, `${section}: { url: 'http://user:secret@host:8123' }\n`)
  const refusal = expect.objectContaining({
    code: 'CONFIGURATION',
    message: expect.not.stringContaining('secret@'),
    hint: expect.stringContaining('_PASSWORD_FILE'),
  })
  expect(() => loadConfig({ file, env: {}, folder })).toThrow(refusal)
})

test('no key of winnow.yaml takes a password', () => {
  const file = join(folder, 'password.yaml')
  writeFileSync(file, 'kafka: { password: secret }\n')
  expect(() => loadConfig({ file, env: {}, folder })).toThrow(/password/)
})
