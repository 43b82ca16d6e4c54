import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { configOrigins } from '../../../services/config/origins.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-origins-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const token = 'a-token-of-some-length'
const file = join(folder, 'winnow.yaml')
writeFileSync(
  file,
  `kafka: { brokers: [a:1] }
clickhouse: { url: 'http://clickhouse:8123' }
metrics: { token: ${token} }
actors: { colour: { subcategories: [red, blue], labeler: { kind: metadata, path: colour } } }
`,
)
const shown = (options: Parameters<typeof configOrigins>[0]) =>
  new Map(configOrigins({ env: {}, folder, ...options }).map((one) => [one.path, one]))

test('each value is shown with its origin: flag before environment before file before default', () => {
  const env = { WINNOW_BROKERS: 'b:1, c:2', WINNOW_DATA: 'elsewhere', WINNOW_METRICS_PORT: '9000' }
  const values = shown({ env, dataFolder: 'flagged' })
  expect(values.get('dataFolder')).toMatchObject({ value: join(folder, 'flagged'), origin: 'flag', by: '--data' })
  expect(values.get('kafka.brokers')).toMatchObject({
    value: ['b:1', 'c:2'],
    origin: 'environment',
    by: 'WINNOW_BROKERS',
  })
  expect(values.get('metrics.port')).toMatchObject({ value: 9000, origin: 'environment' })
  expect(values.get('clickhouse.url')).toMatchObject({ value: 'http://clickhouse:8123', origin: 'file', by: file })
  expect(values.get('corpus.partitions')).toEqual({ path: 'corpus.partitions', value: 4, origin: 'default' })
  expect(values.get('clickhouse.database')).toMatchObject({ value: null, origin: 'default' })
  expect(values.get('actors.colour.labeler.path')).toMatchObject({ value: 'colour', origin: 'file' })
})

test('neither tokens nor passwords in addresses are shown', () => {
  const env = { WINNOW_REGISTRY_URL: 'http://user:password@registry:8081' }
  const text = JSON.stringify([...shown({ env }).values()])
  expect(text).not.toContain(token)
  expect(text).not.toContain('password')
  expect(shown({ env }).get('registry.url')?.value).toBe('http://user:***@registry:8081')
  expect(shown({}).get('metrics.token')?.value).toBe('***')
})

test('a variable that should be a number is refused, naming key and variable', () => {
  expect(() => shown({ env: { WINNOW_METRICS_PORT: 'http' } })).toThrow(/metrics\.port: /)
})
