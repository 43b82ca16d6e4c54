import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, onTestFinished, test, vi } from 'vitest'
import { standingOf } from '../../../../services/ingest/names.ts'
import { onlyFolder, type WatchFlags, watchCommand } from '../../../../services/ingest/watch/command.ts'
import { ingestAll } from '../../../../services/ingest/watch/watch.ts'
import { systemClock } from '../../../../services/runtime/clock.ts'
import { WinnowError } from '../../../../services/runtime/errors.ts'
import { createLog } from '../../../../services/runtime/log.ts'
import { codec, MemoryKafka } from '../memory-kafka.ts'
import { parquetRows } from '../parquet/support.ts'
import { folder, row, rows, run } from '../support.ts'

/** A folder that is being watched; ended with the test. */
function watching(path: string, kafka: MemoryKafka, flags: WatchFlags = {}) {
  const stop = new AbortController()
  const said = { out: '', err: '' }
  const ended = watchCommand(
    path,
    { settle: 0.1, ...flags },
    {
      kafka: kafka.port,
      codec,
      log: createLog('test', 'silent'),
      clock: systemClock,
      signal: stop.signal,
      stdout: { write: (text) => (said.out += text) },
      stderr: { write: (text) => (said.err += text) },
    },
  )
  onTestFinished(async () => {
    stop.abort()
    await ended.catch(() => {})
  })
  return { said, stop, ended }
}

const wait = { timeout: 20_000, interval: 20 }
const texts = (kafka: MemoryKafka) => kafka.documents.map(({ text }) => text)

test.each([[false], [true]])('existing and arriving files are ingested once, polled: %s', async (poll) => {
  const kafka = new MemoryKafka()
  const path = folder({
    'a.jsonl': row('a'),
    '.b.jsonl': row('hidden'),
    'c.txt': 'no rows',
    '~d.jsonl': row('temporary'),
  })
  mkdirSync(join(path, '_temporary'))
  writeFileSync(join(path, '_temporary', 'e.jsonl'), row('temporary'))
  const { said, stop, ended } = watching(path, kafka, { poll })
  await vi.waitFor(() => expect(texts(kafka)).toEqual(['a']), wait)
  mkdirSync(join(path, 'sub'))
  writeFileSync(join(path, 'sub', 'f.parquet'), parquetRows(2))
  await vi.waitFor(() => expect(texts(kafka)).toEqual(['a', 'row 0', 'row 1']), wait)
  renameSync(join(path, '_temporary', 'e.jsonl'), join(path, 'e.jsonl'))
  appendFileSync(join(path, 'a.jsonl'), row('more of a'))
  await vi.waitFor(() => expect(texts(kafka).slice(3).sort()).toEqual(['more of a', 'temporary']), wait)
  stop.abort()
  await ended
  expect([...kafka.sources.keys()].sort()).toEqual(['a.jsonl', 'e.jsonl', 'sub/f.parquet'])
  expect(said.out).toContain('a.jsonl: 1 documents\nsub/f.parquet: 2 documents\n')
  // The same ids and names as without watching: a folder that was watched has nothing new.
  expect(await run(kafka, [path])).toMatchObject({ documents: 0, skipped: 3 })
  expect(said.err).toContain('1 .txt (c.txt): no name of rows')
})

test('linked folders are watched if their links may be followed, and are reported if not', async () => {
  const kafka = new MemoryKafka()
  const path = folder({ 'b.jsonl.xz': Buffer.from('\xfd7zXZ\0', 'latin1') })
  const [allowed, forbidden] = [folder({ 'a.jsonl': row('allowed') }), folder({ 'a.jsonl': row('forbidden') })]
  symlinkSync(allowed, join(path, 'more'))
  symlinkSync(forbidden, join(path, 'other'))
  symlinkSync('.', join(path, 'loop'))
  const { said } = watching(path, kafka, { followLinks: [allowed] })
  await vi.waitFor(() => expect(texts(kafka)).toEqual(['allowed']), wait)
  appendFileSync(join(allowed, 'a.jsonl'), row('appended'))
  writeFileSync(join(allowed, 'c.jsonl'), row('new'))
  await vi.waitFor(() => expect(texts(kafka).sort()).toEqual(['allowed', 'appended', 'new']), wait)
  expect([...kafka.sources.keys()]).toEqual(['more/a.jsonl', 'more/c.jsonl'])
  expect(said.err).toContain('other leads out of')
  expect(said.err).toContain('(loop): a link to files that are also found by another name')
  expect(said.err).toContain('1 .jsonl.xz (b.jsonl.xz): compressed with xz; xz -dc ')
})

test('each file that is left out is named, even if its kind was named before', async () => {
  const path = folder({ 'a.jsonl': row('a'), 'one.txt': '', 'two.txt': '', '~c.jsonl': row('c') })
  const kafka = new MemoryKafka()
  const { said } = watching(path, kafka)
  await vi.waitFor(() => expect(said.err).toMatch(/2 \.txt \(such as (one|two)\.txt\): no name of rows/), wait)
  await vi.waitFor(() => expect(said.err).toContain('(~c.jsonl): temporary'), wait)
  writeFileSync(join(path, 'later.txt'), '')
  await vi.waitFor(() => expect(said.err).toContain('1 .txt (later.txt): no name of rows'), wait)
  expect(said.err.match(/~c\.jsonl/g)).toHaveLength(1)
})

test('a file written in pieces is ingested once it is complete', async () => {
  const kafka = new MemoryKafka()
  const path = folder()
  const { said } = watching(path, kafka, { json: true, settle: 1 })
  const line = row('written slowly')
  for (const letter of line) {
    appendFileSync(join(path, 'a.jsonl'), letter)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await vi.waitFor(() => expect(said.out).not.toBe(''), wait)
  expect(texts(kafka)).toEqual(['written slowly'])
  expect(kafka.deadLetters).toEqual([])
  expect(JSON.parse(said.out)).toMatchObject({ name: 'a.jsonl', outcome: 'ingested', documents: 1 })
})

test('a truncated file and one whose content changed are reported, and retried when they change', async () => {
  const kafka = new MemoryKafka()
  const whole = gzipSync(rows(3))
  const path = folder({ 'known.jsonl': row('first') })
  await run(kafka, [path])
  writeFileSync(join(path, 'known.jsonl'), row('other'))
  writeFileSync(join(path, 'broken.jsonl.gz'), whole.subarray(0, whole.length - 8))
  writeFileSync(join(path, 'fine.jsonl'), row('fine'))
  const { said } = watching(path, kafka)
  await vi.waitFor(() => expect(said.err).toContain('known.jsonl is left as it was ingested'), wait)
  await vi.waitFor(() => expect(texts(kafka)).toContain('fine'), wait)
  expect(said.err).toContain('its first or last bytes differ')
  expect(said.err).toContain('broken.jsonl.gz breaks off')
  writeFileSync(join(path, 'broken.jsonl.gz'), whole)
  writeFileSync(join(path, 'known.jsonl'), row('first') + row('second'))
  await vi.waitFor(() => expect(texts(kafka)).toEqual(expect.arrayContaining(['row 2', 'second'])), wait)
  expect(texts(kafka).sort()).toEqual(['fine', 'first', 'row 0', 'row 1', 'row 2', 'second'])
})

test('an error that is not a file’s fault ends the watch with that error', async () => {
  const kafka = new MemoryKafka()
  kafka.onTransaction = () => {
    throw new WinnowError('UNREACHABLE', 'no broker')
  }
  const { ended } = watching(folder({ 'a.jsonl': row('a') }), kafka)
  await expect(ended).rejects.toMatchObject({ code: 'UNREACHABLE', exitCode: 4 })
})

test('the watch ends when its folder disappears', async () => {
  const path = folder({ 'a.jsonl': row('a') })
  const kafka = new MemoryKafka()
  const { ended } = watching(join(path), kafka)
  await vi.waitFor(() => expect(texts(kafka)).toEqual(['a']), wait)
  rmSync(path, { recursive: true })
  onTestFinished(() => mkdirSync(path))
  await expect(ended).rejects.toThrow(`${path} is gone`)
})

test('of many files refused together only those at fault are left out', async () => {
  const bad = ['c', 'f']
  const tried: string[][] = []
  const [told, refused]: string[][] = [[], []]
  await ingestAll(['a', 'b', 'c', 'd', 'e', 'f', 'g'], {
    signal: new AbortController().signal,
    ingest: async (names) => {
      tried.push([...names])
      if (names.some((name) => bad.includes(name))) throw new WinnowError('CONFIGURATION', 'other content')
      const counts = { documents: 1, rejected: 0, documentsTotal: 1 }
      const source = { source: 0, outcome: 'ingested' as const, ...counts, reasons: {}, fields: [], why: null }
      const sources = names.map((name) => ({ name, ...source }))
      return { sources, documents: 0, rejected: 0, skipped: 0, failed: 0, leftOut: [], stopped: false }
    },
    told: ({ name }) => told!.push(name),
    refused: (name) => refused!.push(name),
  })
  expect({ told, refused }).toEqual({ told: ['a', 'b', 'd', 'e', 'g'], refused: ['c', 'f'] })
  expect(tried.length).toBeLessThan(14)
})

test.each([
  ['a.jsonl', true],
  ['sub/part-0.parquet', true],
  ['a.jsonl.gz.tmp', false],
  ['a.jsonl.part', false],
  ['.hidden/a.jsonl', false],
  ['sub/~a.jsonl', false],
  ['_temporary/0/a.parquet', false],
  ['_temporary_notes.jsonl', true],
])('%s is watched: %s', (name, watched) => {
  expect(standingOf(name) === 'rows').toBe(watched)
})

test('watching requires exactly one readable folder', async () => {
  const path = folder({ a: '' })
  expect(await onlyFolder([path])).toBe(path)
  for (const paths of [[], ['-'], [path, path]])
    await expect(onlyFolder(paths)).rejects.toMatchObject({ code: 'USAGE' })
  for (const wrong of [join(path, 'a'), join(path, 'missing')]) {
    await expect(onlyFolder([wrong])).rejects.toMatchObject({ code: 'CONFIGURATION' })
  }
})
