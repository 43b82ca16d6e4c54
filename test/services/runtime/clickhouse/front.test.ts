import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type ClickHouseError, createClient } from '@clickhouse/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ClickHouse, createClickHouse } from '../../../../services/runtime/clickhouse/client.ts'
import { ChdbEngine } from '../../../../services/runtime/clickhouse/engine.ts'
import { type Front, startFront } from '../../../../services/runtime/clickhouse/front.ts'

const largest = 18446744073709551615n

describe("ClickHouse's HTTP interface in front of the embedded engine", () => {
  let folder: string
  let engine: ChdbEngine
  let front: Front
  let clickHouse: ClickHouse

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'winnow-front-'))
    engine = await ChdbEngine.open(join(folder, 'db'))
    front = await startFront(engine, 'a password')
    clickHouse = await createClickHouse({ url: front.address })
    await clickHouse.sql.command(`CREATE TABLE ids (id UInt64, name String) ENGINE = MergeTree ORDER BY id
      SETTINGS non_replicated_deduplication_window = 100`)
  })
  afterAll(async () => {
    await clickHouse.close()
    await front.close()
    await engine.close()
    await rm(folder, { recursive: true })
  })
  const names = async (like: string): Promise<string[]> =>
    (
      await clickHouse.sql.query<{ name: string }>(
        'SELECT name FROM ids WHERE name LIKE {like:String} ORDER BY name, id',
        { like },
      )
    ).map(({ name }) => name)

  test('answers a ping', async () => {
    await expect(clickHouse.sql.ping()).resolves.toBeUndefined()
    expect(await (await fetch(`${front.url}/ping`)).text()).toBe('Ok.\n')
  })

  test('keeps 64-bit integers whole in rows, in parameters and in arrays of parameters', async () => {
    await clickHouse.sql.insert('ids', [{ id: largest, name: 'largest' }])
    const sql = 'SELECT id, {many:Array(UInt64)} AS many FROM ids WHERE id = {id:UInt64}'
    const rows = await clickHouse.sql.query<{ id: string; many: string[] }>(sql, { id: largest, many: [largest, 1n] })
    expect(rows).toEqual([{ id: '18446744073709551615', many: ['18446744073709551615', '1'] }])
    // Also for a client that knows nothing of the setting.
    const bare = createClient({ url: front.address })
    const json = await (await bare.query({ query: `SELECT toUInt64(${largest}) AS id`, format: 'JSONEachRow' })).text()
    await bare.close()
    expect(json).toBe('{"id":"18446744073709551615"}\n')
  })

  test.each(["it's a \\ backslash", 'tab\tnewline\nsemicolon; {id:UInt64}\u0000', 'Größe, 規模, 🙂', ''])(
    'carries the string %j through a parameter and a row',
    async (text) => {
      expect(
        await clickHouse.sql.query('SELECT {text:String} AS text, {list:Array(String)} AS list', {
          text,
          list: [text, 'b'],
        }),
      ).toEqual([{ text, list: [text, 'b'] }])
      await clickHouse.sql.insert('ids', [{ id: 1, name: `row ${text}` }])
      expect(await names('row%')).toEqual([`row ${text}`])
      await clickHouse.sql.command("ALTER TABLE ids DELETE WHERE startsWith(name, 'row') SETTINGS mutations_sync = 1")
    },
  )

  test('takes a parameter of a hundred thousand ids', async () => {
    const ids = Array.from({ length: 100_000 }, (_, i) => largest - BigInt(i))
    const rows = await clickHouse.sql.query(
      'SELECT uniqExact(id) AS n, min(id) AS first FROM (SELECT arrayJoin({ids:Array(UInt64)}) AS id)',
      { ids },
    )
    expect(rows).toEqual([{ n: '100000', first: String(largest - 99_999n) }])
  })

  test('returns errors with ClickHouse’s code and type', async () => {
    const error = await clickHouse.client
      .query({ query: 'SELECT * FROM missing' })
      .catch((reason: ClickHouseError) => reason)
    expect(error).toMatchObject({ code: '60', type: 'UNKNOWN_TABLE' })
    const headers = { 'x-clickhouse-user': 'winnow', 'x-clickhouse-key': 'a password' }
    const answer = await fetch(front.url, { method: 'POST', body: 'SELECT * FROM missing', headers })
    expect([answer.status, answer.headers.get('x-clickhouse-exception-code')]).toEqual([404, '60'])
    await expect(clickHouse.sql.query('SELECT * FROM missing')).rejects.toMatchObject({
      code: 'UNEXPECTED',
      message: expect.stringMatching(/UNKNOWN_TABLE.*SELECT \* FROM missing/s),
    })
  })

  test('ignores a repeated insert with the same deduplication token, and accepts later inserts', async () => {
    await clickHouse.sql.insert('ids', [{ id: 1, name: 'token a' }], { deduplicationToken: 'batch 1' })
    await clickHouse.sql.insert('ids', [{ id: 1, name: 'token a' }], { deduplicationToken: 'batch 1' })
    await clickHouse.sql.insert('ids', [{ id: 2, name: 'token b' }])
    expect(await names('token%')).toEqual(['token a', 'token b'])
  })

  test('resets settings after the call that set them, even if it fails', async () => {
    const setting = async (name: string) => await clickHouse.sql.queryText(`SELECT getSetting('${name}')`)
    const before = await setting('max_threads')
    await clickHouse.client.command({
      query: 'SELECT 1',
      clickhouse_settings: { max_threads: 7, insert_deduplication_token: 'leak' },
    })
    await clickHouse.client
      .command({ query: 'SELECT nothing', clickhouse_settings: { max_threads: 7 } })
      .catch(() => undefined)
    // A refused setting beside a good one.
    const refused = clickHouse.client.command({
      query: 'SELECT 1',
      clickhouse_settings: { max_threads: 7, no_such_setting: 1 },
    })
    await expect(refused).rejects.toMatchObject({ code: '115' })
    // Any of the engine's sessions may answer.
    for (const answer of await Promise.all(Array.from({ length: 9 }, () => setting('max_threads'))))
      expect(answer).toBe(before)
    // By the client's own insert, which names no token.
    await clickHouse.client.insert({ table: 'ids', values: [{ id: 3, name: 'leak' }], format: 'JSONEachRow' })
    await clickHouse.client.insert({ table: 'ids', values: [{ id: 4, name: 'leak' }], format: 'JSONEachRow' })
    expect(await names('leak')).toEqual(['leak', 'leak'])
  })

  test('gives each of many concurrent calls its own parameters, settings and database', async () => {
    await clickHouse.sql.command('CREATE DATABASE other')
    const other = await createClickHouse({ url: front.address, database: 'other' })
    const calls = Array.from({ length: 120 }, async (_, i) => {
      const { client } = i % 2 === 0 ? clickHouse : other
      const result = await client.query({
        query: "SELECT {i:UInt32} AS i, getSetting('max_block_size') AS size, currentDatabase() AS database",
        query_params: { i },
        clickhouse_settings: i % 3 === 0 ? {} : { max_block_size: String(1000 + i) },
        format: 'JSONEachRow',
      })
      return await result.json()
    })
    const defaultSize = 65409
    expect((await Promise.all(calls)).flat()).toEqual(
      calls.map((_, i) => ({
        i,
        size: i % 3 === 0 ? defaultSize : 1000 + i,
        database: i % 2 === 0 ? 'default' : 'other',
      })),
    )
    await other.close()
  })

  test('answers a short query while a long one runs, without blocking the main thread', async () => {
    let ended = false
    const long = clickHouse.sql.query('SELECT sleep(1)').then(() => (ended = true))
    await clickHouse.sql.query('SELECT 1')
    expect(ended).toBe(false)
    await long
  })

  test('reads binary formats byte by byte', async () => {
    // RowBinary: the id as 8 bytes little-endian, the name's length, the name: here bytes that are no UTF-8.
    const row = Buffer.from([255, 255, 255, 255, 255, 255, 255, 255, 2, 0xff, 0xfe])
    await clickHouse.client
      .exec({ query: 'INSERT INTO ids FORMAT RowBinary', values: Readable.from([row]) })
      .then(({ stream }) => stream.resume())
    expect(await clickHouse.sql.queryText(`SELECT hex(name) FROM ids WHERE id = ${largest} AND length(name) = 2`)).toBe(
      'FFFE\n',
    )
  })

  test('streams rows', async () => {
    let sum = 0n
    for await (const rows of clickHouse.sql.stream<{ n: string }>('SELECT number AS n FROM numbers(100000)')) {
      for (const { n } of rows) sum += BigInt(n)
    }
    expect(sum).toBe(4999950000n)
  })

  test('refuses what a web page sends', async () => {
    const crossOrigin = await fetch(front.url, {
      method: 'POST',
      body: 'SELECT 1',
      headers: { origin: 'http://example.org' },
    })
    expect(crossOrigin.status).toBe(403)
    // A page whose name was made to lead to the loopback has its own name in Host.
    const status = await new Promise((resolve, reject) => {
      request(`${front.url}/?query=SELECT%201`, { headers: { host: 'example.org' } }, (answer) =>
        resolve(answer.statusCode),
      )
        .once('error', reject)
        .end()
    })
    expect(status).toBe(403)
  })
})

test('an address where nobody listens is UNREACHABLE and retriable', async () => {
  const clickHouse = await createClickHouse({ url: 'http://127.0.0.1:1' })
  await expect(clickHouse.sql.query('SELECT 1')).rejects.toMatchObject({ code: 'UNREACHABLE', retriable: true })
  await expect(clickHouse.sql.ping()).rejects.toMatchObject({ code: 'UNREACHABLE' })
  await clickHouse.close()
})

test('an address of another kind is a configuration error with an example', async () => {
  await expect(createClickHouse({ url: 'localhost:8123' })).rejects.toMatchObject({ code: 'CONFIGURATION' })
})
