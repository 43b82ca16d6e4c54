import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readEndpoints, startCluster } from '../../../deploy/dev/cluster.ts'

const log = pino({ level: 'silent' })
let folder: string
const servers: Server[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'winnow-cluster-'))
})
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
  rmSync(folder, { recursive: true })
})
const listening = (server: Server): Promise<number> =>
  new Promise((resolve) => {
    servers.push(server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))
  })
/** Addresses where something listens, as far as starting looks. */
const named = async () => ({
  WINNOW_BROKERS: `127.0.0.1:1, 127.0.0.1:${await listening(createServer())}`,
  WINNOW_REGISTRY_URL: `http://127.0.0.1:${await listening(createHttpServer((_, response) => response.end('[]')))}`,
})

describe('a cluster named by the environment', () => {
  test('is used as it is, together with the embedded ClickHouse', async () => {
    const env = await named()
    const cluster = await startCluster({ dataFolder: folder, env, log })
    try {
      expect(cluster.brokers).toEqual(env.WINNOW_BROKERS.split(', '))
      expect(cluster.registryUrl).toBe(env.WINNOW_REGISTRY_URL)
      expect(cluster.pids).toEqual([])
      expect(
        await (await cluster.clickhouse.query({ query: 'SELECT 1 AS one', format: 'JSONEachRow' })).json(),
      ).toEqual([{ one: 1 }])
    } finally {
      await cluster.stop()
    }
  })

  test('may include ClickHouse, whose password stays out of the log', async () => {
    const port = await listening(createHttpServer((_, response) => response.end('Ok.\n')))
    const clickhouseUrl = `http://user:secret@127.0.0.1:${port}`
    const lines: string[] = []
    const cluster = await startCluster({
      dataFolder: folder,
      env: { ...(await named()), WINNOW_CLICKHOUSE_URL: clickhouseUrl },
      log: pino({ level: 'trace' }, { write: (line) => void lines.push(line) }),
    })
    await cluster.stop()
    expect(cluster.clickhouseUrl).toBe(clickhouseUrl)
    expect(lines.join('')).toContain(String(port))
    expect(lines.join('')).not.toContain('secret')
  })

  test('can be found from a second terminal while it runs, and only then', async () => {
    expect(readEndpoints(folder)).toBeUndefined()
    const cluster = await startCluster({ dataFolder: folder, env: await named(), log })
    const { brokers, registryUrl, clickhouseUrl } = cluster
    expect(readEndpoints(folder)).toEqual({ brokers, registryUrl, clickhouseUrl, pid: process.pid })
    expect(statSync(join(folder, 'endpoints.json')).mode & 0o077).toBe(0)
    await Promise.all([cluster.stop(), cluster.stop()])
    expect(readEndpoints(folder)).toBeUndefined()
    // What a killed instance leaves.
    writeFileSync(
      join(folder, 'endpoints.json'),
      JSON.stringify({ brokers: [], pid: process.pid, started: 'another time' }),
    )
    expect(readEndpoints(folder)).toBeUndefined()
  })

  test('keeps its tables between starts; --fresh removes them and nothing else', async () => {
    const env = await named()
    writeFileSync(join(folder, 'notes.txt'), 'mine')
    const tables = async (fresh: boolean): Promise<unknown[]> => {
      const cluster = await startCluster({ dataFolder: folder, fresh, env, log })
      try {
        const rows = await (await cluster.clickhouse.query({ query: 'SHOW TABLES', format: 'JSONEachRow' })).json()
        if (rows.length === 0)
          await cluster.clickhouse.command({ query: 'CREATE TABLE kept (a UInt8) ENGINE = MergeTree ORDER BY a' })
        return rows
      } finally {
        await cluster.stop()
      }
    }
    expect(await tables(false)).toEqual([])
    expect(await tables(false)).toEqual([{ name: 'kept' }])
    expect(await tables(true)).toEqual([])
    expect(existsSync(join(folder, 'notes.txt'))).toBe(true)
  })

  test('locks the data folder, and a start that fails unlocks it', async () => {
    const env = await named()
    const cluster = await startCluster({ dataFolder: folder, env, log })
    await expect(startCluster({ dataFolder: folder, env, log })).rejects.toMatchObject({ code: 'DATA_FOLDER_LOCKED' })
    expect(readEndpoints(folder)?.brokers).toEqual(cluster.brokers)
    await cluster.stop()
    await expect(
      startCluster({ dataFolder: folder, env: { ...env, WINNOW_BROKERS: '127.0.0.1:1' }, log }),
    ).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('127.0.0.1:1'),
    })
    await (await startCluster({ dataFolder: folder, env, log })).stop()
  })

  test.each(['WINNOW_BROKERS', 'WINNOW_REGISTRY_URL'] as const)(
    'a cluster named by %s alone is a configuration error',
    async (name) => {
      const env = { [name]: (await named())[name] }
      await expect(startCluster({ dataFolder: folder, env, log })).rejects.toMatchObject({ code: 'CONFIGURATION' })
    },
  )
})

test('without Docker and Java the error says what to install', async () => {
  await expect(startCluster({ dataFolder: folder, env: { PATH: '/nowhere' }, log })).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringMatching(/Docker does not answer, and there is no Java/),
    hint: expect.stringMatching(/Docker.*Java 17.*Maven.*WINNOW_BROKERS/s),
  })
})

test('a data folder whose broker runs in Docker does not start another one from jars', async () => {
  mkdirSync(join(folder, 'cluster'))
  writeFileSync(join(folder, 'cluster', 'way'), 'docker')
  await expect(startCluster({ dataFolder: folder, env: { PATH: '/nowhere' }, log })).rejects.toThrow(
    /is in Docker, which does not answer/,
  )
})
