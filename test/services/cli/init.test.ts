import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, expect, test } from 'vitest'
import type { CliContext } from '../../../services/cli/context.ts'
import { buildProgram, runProgram } from '../../../services/cli/program.ts'
import { loadConfig } from '../../../services/config/load.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-init-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** `winnow init` where a person types `typed`; null: nobody is there. */
async function init(args: readonly string[], typed: string | null = null) {
  const stdin = Object.assign(new PassThrough(), { isTTY: typed !== null })
  let stdout = ''
  let stderr = ''
  const context = {
    env: {},
    folder,
    stdin,
    stdout: {
      write: (text: string) => {
        stdout += text
        return true
      },
    },
    stderr: Object.assign(
      new PassThrough().on('data', (text) => {
        stderr += text
      }),
      { isTTY: false },
    ),
  } as unknown as CliContext
  // An answer is typed when its question stands there.
  const lines = (typed ?? '').split('\n')
  ;(context.stderr as unknown as PassThrough).on('data', (text: Buffer) => {
    if (!/: $/.test(String(text)) || lines.length === 0) return
    const line = lines.shift()!
    if (lines.length === 0 && line === '') stdin.end()
    else stdin.write(`${line}\n`)
  })
  const code = await runProgram(await buildProgram(context), ['init', ...args], context as never)
  return { code, stdout, stderr }
}

test('ClickHouse’s login and database are options, and are written only if given', async () => {
  const file = join(folder, 'login.yaml')
  const given = ['--brokers', 'b:9092', '--username', 'winnow', '--database', 'corpus']
  expect((await init(['--yes', '--out', 'login.yaml', ...given])).code).toBe(0)
  const { clickhouse } = loadConfig({ file, env: {}, folder })
  expect(clickhouse).toEqual({ url: 'http://localhost:8123', username: 'winnow', database: 'corpus' })
})

test('the file that --yes writes loads, and begins with the schema for editors', async () => {
  const { code, stdout } = await init(['--yes'])
  const file = join(folder, 'winnow.yaml')
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${file}\n` })
  expect(readFileSync(file, 'utf8')).toMatch(/^# yaml-language-server: \$schema=.*winnow\.schema\.json\n/)
  const written = loadConfig({ file, env: {}, folder })
  const { file: _, ...defaults } = loadConfig({ env: {}, folder: join(folder, 'nowhere') })
  expect({ ...written, file: undefined }).toEqual({
    ...defaults,
    baseFolder: folder,
    dataFolder: join(folder, '.winnow'),
    file: undefined,
  })
})

test('an existing file is replaced only with --force', async () => {
  writeFileSync(join(folder, 'mine.yaml'), 'corpus: { partitions: 9 }\n')
  expect(await init(['--yes', '--out', 'mine.yaml'])).toMatchObject({ code: 3 })
  expect(readFileSync(join(folder, 'mine.yaml'), 'utf8')).toBe('corpus: { partitions: 9 }\n')
  expect(await init(['--yes', '--force', '--out', 'mine.yaml'])).toMatchObject({ code: 0 })
  expect(loadConfig({ file: 'mine.yaml', env: {}, folder }).corpus.partitions).toBe(4)
})

test('answers are checked as they are typed, and end up in the file', async () => {
  const typed = ['not an address', 'kafka-1:9092, kafka-2:9092', 'http://registry:8081', '', '16', 'never read'].join(
    '\n',
  )
  const { code, stderr } = await init(['--out', 'asked.yaml'], typed)
  expect(code).toBe(0)
  expect(stderr).toContain('a broker is host:port')
  const config = loadConfig({ file: 'asked.yaml', env: {}, folder })
  expect(config.kafka.brokers).toEqual(['kafka-1:9092', 'kafka-2:9092'])
  expect(config.registry.url).toBe('http://registry:8081')
  expect(config.clickhouse.url).toBe('http://localhost:8123')
  expect(config.corpus.partitions).toBe(16)
})

test('without brokers there are no questions about registry and database', async () => {
  const { code, stderr } = await init(['--out', 'embedded.yaml'], '\n8\nnever read')
  expect(code).toBe(0)
  expect(stderr).not.toContain('schema registry')
  expect(loadConfig({ file: 'embedded.yaml', env: {}, folder }).corpus.partitions).toBe(8)
})

test('a terminal that closes halfway leaves no file', async () => {
  expect(await init(['--out', 'left.yaml'], 'a:1\n')).toMatchObject({ code: 130 })
  expect(() => readFileSync(join(folder, 'left.yaml'))).toThrow('ENOENT')
})

test('without a terminal and --yes it says what to do', async () => {
  const { code, stderr } = await init(['--out', 'nobody.yaml'])
  expect(code).toBe(2)
  expect(stderr).toContain('--yes')
})

test('an option with an invalid value is a usage error', async () => {
  const { code, stderr } = await init(['--yes', '--out', 'wrong.yaml', '--partitions', 'many'])
  expect(code).toBe(2)
  expect(stderr).toContain('--partitions many: a whole number from 1 to 1024')
})
