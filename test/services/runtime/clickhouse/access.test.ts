import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ClickHouse, createClickHouse } from '../../../../services/runtime/clickhouse/client.ts'
import { ChdbEngine } from '../../../../services/runtime/clickhouse/engine.ts'
import { type Front, frontUser, startFront } from '../../../../services/runtime/clickhouse/front.ts'
import { hasChromium, openBrowser } from '../../../support/browser.ts'

/** A script of a page: an image, two fetches and a form that is sent, each of which ends or fails. */
const tryFromPage = (image: string, address: string, sql: string) => `(async () => {
  const [image, address, sql] = ${JSON.stringify([image, address, sql])}
  await new Promise((resolve) => {
    const element = document.createElement('img')
    element.onload = element.onerror = resolve
    element.src = image
  })
  for (const mode of ['cors', 'no-cors']) await fetch(address, { method: 'POST', mode, body: sql }).catch(() => undefined)
  await new Promise((resolve) => {
    const frame = document.createElement('iframe')
    frame.name = 'target'
    frame.onload = resolve
    document.body.append(frame)
    const form = document.createElement('form')
    Object.assign(form, { method: 'post', enctype: 'text/plain', target: 'target', action: image })
    document.body.append(form)
    form.submit()
    setTimeout(resolve, 500)
  })
})()`

describe('access to the embedded ClickHouse', () => {
  let folder: string
  let secret: string
  let engine: ChdbEngine
  let front: Front
  let clickHouse: ClickHouse

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'winnow-access-'))
    secret = join(folder, 'secret.txt')
    await writeFile(secret, 'kept from others\n')
    engine = await ChdbEngine.open(join(folder, 'db'))
    front = await startFront(engine, 'right')
    clickHouse = await createClickHouse({ url: front.address })
    await clickHouse.sql.command('CREATE TABLE t (a String) ENGINE = MergeTree ORDER BY a')
  })
  afterAll(async () => {
    await clickHouse.close()
    await front.close()
    await engine.close()
    await rm(folder, { recursive: true })
  })

  const login = (user: string, password: string) => ({
    authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  })
  const right = login(frontUser, 'right')
  const post = (sql: string, headers: Record<string, string> = right) =>
    fetch(front.url, { method: 'POST', body: sql, headers })
  const get = (sql: string, headers: Record<string, string> = right) =>
    fetch(`${front.url}/?query=${encodeURIComponent(sql)}`, { headers })
  const tables = async () =>
    (await clickHouse.sql.query<{ name: string }>("SELECT name FROM system.tables WHERE database = 'default'")).map(
      ({ name }) => name,
    )

  const strangers: [string, Record<string, string>][] = [
    ['nothing', {}],
    ['another password', login(frontUser, 'wrong')],
    ['another user', login('default', 'right')],
    ['no password', login(frontUser, '')],
    ["headers of ClickHouse's own with another password", { 'x-clickhouse-user': frontUser, 'x-clickhouse-key': '' }],
  ]
  test.each(strangers)('who gives %s is told 401, by POST and by GET', async (_what, headers) => {
    for (const answer of [await post('SELECT 1', headers), await get('SELECT 1', headers)]) {
      expect(answer.status).toBe(401)
      expect(await answer.text()).toContain('cluster/clickhouse-password')
    }
  })

  test('the password is accepted in every form that clients send it, including ClickHouse’s headers', async () => {
    expect(await (await post('SELECT 1')).text()).toBe('1\n')
    const own = { 'x-clickhouse-user': frontUser, 'x-clickhouse-key': 'right' }
    expect(await (await post('SELECT 1', own)).text()).toBe('1\n')
  })

  test('a GET, or a request for read-only mode, reads and changes nothing', async () => {
    expect(await (await get('SELECT 1')).text()).toBe('1\n')
    for (const sql of [
      'CREATE TABLE by_get (a UInt8) ENGINE = Memory',
      "INSERT INTO t VALUES ('by get')",
      'DROP TABLE t',
      'SELECT 1 SETTINGS readonly = 0',
    ]) {
      const answer = await get(sql)
      expect(answer.status, sql).toBe(500)
      expect(await answer.text(), sql).toContain('READONLY')
    }
    await expect(clickHouse.sql.query('DROP TABLE t')).rejects.toThrow('READONLY')
    expect(await tables()).toEqual(['t'])
  })

  // Each as it is, by POST, with the password.
  const beyond = [
    ["SELECT * FROM file('SECRET', 'LineAsString')"],
    ["SELECT file('SECRET')"],
    ["SELECT `file`('SECRET')"],
    ['SELECT "file" /* c */ (\'SECRET\')'],
    ["SELECT \u201cfile\u201d('SECRET')"],
    ["SELECT `f\\x69le`('SECRET')"],
    ["SELECT arrayMap(file, ['SECRET'])"],
    ["SELECT * APPLY(file) FROM (SELECT 'SECRET' AS x)"],
    ["SELECT 1 # '\n, file('SECRET') # '"],
    ["SELECT 1 -- '\n, file('SECRET') -- '"],
    ["SELECT $a$'$a$, file('SECRET'), '1'"],
    ["SELECT '\\\\', file('SECRET')"],
    ["SELECT '''', file('SECRET')"],
    ["SELECT * FROM 'SECRET'"],
    ['SELECT * FROM `SECRET`'],
    ["DESCRIBE TABLE file('SECRET')"],
    ["CREATE VIEW v AS SELECT * FROM file('SECRET', 'LineAsString')"],
    ["INSERT INTO t SELECT * FROM file('SECRET', 'LineAsString')"],
    ["INSERT INTO t FROM INFILE 'SECRET' FORMAT TSV"],
    ['INSERT INTO t FORMAT JSONEachRow\n{"a":"x"}\n\nSELECT file(\'SECRET\')'],
    ["INSERT INTO t VALUES ('x'); SELECT file('SECRET')"],
    ["INSERT INTO FUNCTION file('OUT', 'LineAsString') SELECT 'x'"],
    ["SELECT 'x' INTO OUTFILE 'OUT'"],
    ["SELECT 'x' INTO/**/OUTFILE 'OUT'"],
    ["SELECT 'x' INTO\nOUTFILE 'OUT' APPEND"],
    ["SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')"],
    ["SELECT * FROM remote('127.0.0.1:9000', 'system.one')"],
    ["SELECT * FROM remoteSecure('127.0.0.1:9000', 'system.one')"],
    ["SELECT * FROM cluster('default', system.one)"],
    ["SELECT * FROM s3('http://127.0.0.1:1/bucket/a', 'TSV', 'a String')"],
    ["SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')"],
    ["SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')"],
    ["SELECT * FROM sqlite('SECRET', 'a')"],
    ["SELECT * FROM executable('ls', 'TSV', 'a String')"],
    ["SELECT * FROM icebergLocal('FOLDER')"],
    ["SELECT * FROM deltaLakeLocal('FOLDER')"],
    ["SELECT * FROM filesystem('FOLDER')"],
    ["SELECT * FROM eval('SELECT 1') SETTINGS allow_experimental_eval_table_function = 1"],
    ["SELECT * FROM format(LineAsString, 'x') SETTINGS format_schema = 'SECRET'"],
    ['CREATE TABLE f (a String) ENGINE = File(TSV)'],
    ["CREATE TABLE f (a String) ENGINE = URL('http://127.0.0.1:1/', TSV)"],
    ["CREATE TABLE f (a String) ENGINE = S3('http://127.0.0.1:1/bucket/a', 'TSV')"],
    ["CREATE TABLE f (a String) ENGINE = Executable('ls', TSV)"],
    ["CREATE TABLE f (a String) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = 'local', path = 'OUT')"],
    ["CREATE DATABASE f ENGINE = Filesystem('FOLDER')"],
    ["CREATE DATABASE f ENGINE = SQLite('SECRET')"],
    [
      "CREATE DICTIONARY f (id UInt64, a String) PRIMARY KEY id SOURCE(FILE(PATH 'SECRET' FORMAT 'TSV')) LAYOUT(FLAT()) LIFETIME(0)",
    ],
    [
      "CREATE DICTIONARY f (id UInt64, a String) PRIMARY KEY id SOURCE(HTTP(URL 'http://127.0.0.1:1/' FORMAT 'TSV')) LAYOUT(FLAT()) LIFETIME(0)",
    ],
    ['CREATE FUNCTION f AS (x) -> x'],
    ["CREATE NAMED COLLECTION f AS url = 'http://127.0.0.1:1/'"],
    ["CREATE USER f IDENTIFIED BY 'f'"],
    ['GRANT ALL ON *.* TO default'],
    ["BACKUP TABLE t TO File('OUT')"],
    ["ATTACH TABLE f FROM 'FOLDER' (a String) ENGINE = MergeTree ORDER BY a"],
    ['SYSTEM SHUTDOWN'],
    ["SET dialect = 'kusto'"],
    ["SELECT 1 SETTINGS dialect = 'kusto'"],
    ["SELECT 1 SETTINGS format_avro_schema_registry_url = 'http://127.0.0.1:1/'"],
  ]
  test.each(beyond)('refuses %s', async (template) => {
    const out = join(folder, 'out')
    const sql = template.replaceAll('SECRET', secret).replaceAll('FOLDER', folder).replaceAll('OUT', out)
    const answer = await post(sql)
    const text = await answer.text()
    expect(answer.ok, text).toBe(false)
    expect(text).toMatch(/^(Query failed: )?Code: \d+\. DB::Exception/)
    expect(text).not.toContain('kept from others')
    expect(existsSync(out)).toBe(false)
    expect(await tables()).toEqual(['t'])
  })

  test('a string literal that looks like such a statement is allowed', async () => {
    await clickHouse.sql.insert('t', [{ a: "file('/etc/passwd') INTO OUTFILE 'x'; SET a = 1 # \u201c" }])
    const rows = await clickHouse.sql.query<{ a: string }>(
      "SELECT a FROM t WHERE a LIKE '%file(%; SET%' AND position(a, {word:String}) > 0",
      { word: 'file' },
    )
    expect(rows).toHaveLength(1)
    await clickHouse.sql.command('TRUNCATE TABLE t')
  })

  test.skipIf(!hasChromium)(
    'a web page of another origin can make no request, even with the password or through DNS rebinding',
    { timeout: 60_000 },
    async () => {
      const pages = createServer((_request, response) =>
        response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>elsewhere</title>'),
      )
      await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve))
      const browser = await openBrowser({ args: ['--host-resolver-rules=MAP elsewhere.test 127.0.0.1'] })
      const { port } = new URL(front.url)
      try {
        const page = await browser.newPage()
        const statuses: number[] = []
        page.on('response', (response) => {
          if (new URL(response.url()).port === port) statuses.push(response.status())
        })
        const create = (name: string) => `CREATE TABLE ${name} (a UInt8) ENGINE = Memory`
        const origins = ['elsewhere.test', 'localhost', '127.0.0.1'].map(
          (host) => `http://${host}:${(pages.address() as AddressInfo).port}/`,
        )
        for (const origin of origins) {
          await page.goto(origin)
          for (const target of [front.url, front.address, `http://elsewhere.test:${port}`]) {
            const address = (sql: string) => `${target}/?query=${encodeURIComponent(sql)}`
            await page.evaluate(tryFromPage(address(create('by_image')), target, create('by_fetch')))
          }
        }
        // The page reached the front (not all of it: Chromium itself keeps some back), and was refused each time.
        expect(statuses.length).toBeGreaterThan(0)
        expect(new Set(statuses)).toEqual(new Set([403]))
        expect(await tables()).toEqual(['t'])
      } finally {
        await browser.close()
        await new Promise((resolve) => pages.close(resolve))
      }
    },
  )
})
