import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createClickHouse } from '../../../../services/runtime/clickhouse/client.ts'
import { ensureDatabase } from '../../../../services/runtime/clickhouse/database.ts'

/** A ClickHouse with the answers of one that has no database `name`, whose user may or may not create it. */
async function serverWithout(name: string, mayCreate: boolean) {
  const statements: string[] = []
  let isThere = false
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const statement = Buffer.concat(chunks).toString('utf8')
    const { searchParams } = new URL(request.url!, 'http://host')
    if (searchParams.get('database') === name && !isThere) {
      response.writeHead(404, { 'x-clickhouse-exception-code': '81' })
      return response.end(
        `Code: 81. DB::Exception: Database ${name} does not exist. (UNKNOWN_DATABASE) (version 25.8.1.1)`,
      )
    }
    statements.push(statement.trim())
    if (statement.startsWith('CREATE DATABASE') && !mayCreate) {
      response.writeHead(403, { 'x-clickhouse-exception-code': '497' })
      return response.end(
        `Code: 497. DB::Exception: reader: Not enough privileges. To execute this query, it's necessary to have the grant CREATE DATABASE ON ${name}.*. (ACCESS_DENIED) (version 25.8.1.1)`,
      )
    }
    isThere ||= statement.startsWith('CREATE DATABASE')
    response.end('{"1":1}\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const ensure = async () => {
    const { sql, close } = await createClickHouse({ url, database: name })
    try {
      await ensureDatabase(sql, { url, database: name })
    } finally {
      await close()
    }
  }
  return { ensure, statements }
}

test.each([
  ['own', 'CREATE DATABASE IF NOT EXISTS `own`'],
  ['team-a`s', 'CREATE DATABASE IF NOT EXISTS `team-a\\`s`'],
])('a user who may not create the database %s is told the statement for one who may', async (name, statement) => {
  const { ensure, statements } = await serverWithout(name, false)
  await expect(ensure()).rejects.toMatchObject({
    code: 'CONFIGURATION',
    message: `ClickHouse has no database ${name}, and it could not be created`,
    hint: `Ask somebody with the rights to run: ${statement}`,
    cause: expect.objectContaining({ message: expect.stringContaining('Not enough privileges') }),
  })
  expect(statements).toEqual([statement])
})

test('a user who may creates it once', async () => {
  const { ensure, statements } = await serverWithout('own', true)
  await ensure()
  await ensure()
  expect(statements.filter((one) => one.startsWith('CREATE'))).toEqual(['CREATE DATABASE IF NOT EXISTS `own`'])
})
