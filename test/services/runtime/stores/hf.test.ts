import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { openBytes } from '../../../../services/runtime/stores/bytes.ts'
import { placeOf } from '../../../../services/runtime/stores/hf.ts'
import { lacks, startWeb, storesPython, type WebServer } from '../../../support/stores.ts'
import { MemoryKafka } from '../../ingest/memory-kafka.ts'
import { rows, run } from '../../ingest/support.ts'
import { pythonStores } from './python-stores.ts'

const missing = lacks('@huggingface/hub')
const because = missing === undefined ? '' : ` (skipped: ${missing})`

const commits = { main: 'a'.repeat(40), v2: 'b'.repeat(40) }
let web: WebServer
beforeAll(async () => {
  web = await startWeb()
  vi.stubEnv('HF_ENDPOINT', web.url)
  vi.stubEnv('HF_TOKEN', 'hf_of_this_test')
  // The hub's interface as far as it is asked: commits of a revision, files of a commit; files themselves are served as a web server serves them.
  web.answer = (request, response) => {
    const path = new URL(request.url!, web.url).pathname
    const json = (value: unknown) =>
      Boolean(response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value)))
    if (request.headers.authorization !== 'Bearer hf_of_this_test') return Boolean(response.writeHead(401).end())
    const revision = /^\/api\/datasets\/o\/n\/commits\/(\w+)$/.exec(path)?.[1] as keyof typeof commits | undefined
    if (revision !== undefined) {
      const commit = { id: commits[revision], title: 't', message: '', authors: [], date: '2026-01-01T00:00:00Z' }
      return json([commit])
    }
    // What huggingface_hub asks besides: the commit of a revision, and the sort of what has a path.
    const info = /^\/api\/datasets\/o\/n(?:\/revision\/([^/]+))?$/.exec(path)
    if (info !== null) {
      const sha = commits[(info[1] ?? 'main') as keyof typeof commits] ?? info[1]
      return json({ id: 'o/n', sha, siblings: [], tags: [], private: false, disabled: false, downloads: 0, likes: 0 })
    }
    const [, commit, prefix = ''] = /^\/api\/datasets\/o\/n\/tree\/([0-9a-f]{40})\/?(.*)$/.exec(path) ?? []
    if (commit === undefined) return false
    const start = `/datasets/o/n/resolve/${commit}/`
    const entries = [...web.files].flatMap(([name, { bytes }]) =>
      name.startsWith(`${start}${prefix}`)
        ? [{ type: 'file', path: name.slice(start.length), size: bytes.length, oid: 'x' }]
        : [],
    )
    return json(entries)
  }
})
afterAll(() => web.stop())

test.skipIf(missing)(
  `a data set of the hub is ingested, of the commit that its revision has, with the token${because}`,
  async () => {
    const of = (commit: string, name: string) => `/datasets/o/n/resolve/${commit}/${name}`
    web.files.set(of(commits.main, 'data/a b.jsonl'), { bytes: Buffer.from(rows(3)), etag: '"of a cache"' })
    web.files.set(of(commits.main, 'README.md'), { bytes: Buffer.from('# n') })
    web.files.set(of(commits.v2, 'data/a b.jsonl'), { bytes: Buffer.from(rows(7)) })
    const kafka = new MemoryKafka()
    expect(await run(kafka, ['hf://datasets/o/n'])).toMatchObject({ documents: 3, leftOut: [{ example: 'README.md' }] })
    expect([...kafka.sources.keys()]).toEqual(['data/a b.jsonl'])
    expect(await run(kafka, ['hf://datasets/o/n/'])).toMatchObject({ documents: 0, skipped: 1 })
    expect(await run(kafka, ['hf://datasets/o/n@v2/data'], { nameOptions: { prefix: 'v2' } })).toMatchObject({
      documents: 7,
    })
    const file = await openBytes('hf://datasets/o/n/data/a b.jsonl')
    expect(file.version).toBe(commits.main)
    expect(String(await file.at(0, 17))).toBe('{"text":"row 0"}\n')
  },
)

const found = storesPython(process.env)
const without = 'missing' in found ? found.missing : undefined

test.skipIf(without !== undefined)(
  `the Python packages read a file of the hub, of the commit that its revision has, with the token${without === undefined ? '' : ` (skipped: ${without})`}`,
  async () => {
    const path = `/datasets/o/n/resolve/${commits.v2}/data/c.bin`
    const content = Buffer.from(rows(5000))
    web.files.set(path, { bytes: content })
    web.cuts.push(10_000)
    const call = pythonStores((found as { python: string }).python)
    const folder = mkdtempSync(join(tmpdir(), 'winnow-hf-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'c.bin')
    const program = "print(download('hf://datasets/o/n@v2/data/c.bin', open(sys.argv[1], 'wb')))"
    expect(await call(program, file)).toBe(commits.v2)
    expect(readFileSync(file).equals(content)).toBe(true)
    expect(web.cuts).toEqual([])
    const none =
      "try: download('hf://datasets/o/n/data/none', open(sys.argv[1], 'wb'))\nexcept Exception as e: print(e.code)"
    expect(await call(none, file)).toBe('CONFIGURATION')
  },
)

test('an address of the hub names a repository, a revision and a path', () => {
  const place = { type: 'dataset', name: 'o/n', revision: 'main', path: '' }
  expect(placeOf('hf://datasets/o/n')).toEqual(place)
  expect(placeOf('hf://datasets/o/n@refs/convert/parquet/default/0.parquet')).toEqual({
    ...place,
    revision: 'refs/convert/parquet',
    path: 'default/0.parquet',
  })
  expect(placeOf('hf://o/n@v1%2Fx/model.safetensors')).toEqual({
    type: 'model',
    name: 'o/n',
    revision: 'v1/x',
    path: 'model.safetensors',
  })
  expect(() => placeOf('hf://datasets/o')).toThrow(/names no repository/)
})
