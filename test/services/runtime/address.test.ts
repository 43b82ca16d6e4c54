import { createServer, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkRegistry } from '../../../deploy/doctor/stores.ts'
import { Document } from '../../../schemas/index.ts'
import { whatHangs } from '../../../services/connections/answering.ts'
import { httpAddress, withoutLogin } from '../../../services/runtime/address.ts'
import { register, registryClient } from '../../../services/runtime/registry.ts'

/** A registry below a sub-path, behind a proxy that asks for a login. */
const asked: string[] = []
const right = `Basic ${Buffer.from('us@er:p/ss').toString('base64')}`
const server = createServer((request: IncomingMessage, response) => {
  request.resume()
  asked.push(`${request.method} ${request.url}`)
  response.setHeader('content-type', 'application/json')
  if (request.headers.authorization !== right) response.writeHead(401).end('{"error_code":40101,"message":"log in"}')
  else if (request.url?.startsWith('/team/a/subjects/') && request.method === 'POST') response.end('{"id":7}')
  else if (request.url === '/team/a/subjects') response.end('["winnow.Document"]')
  else if (request.url?.startsWith('/team/a/config/'))
    response.end('{"compatibility":"BACKWARD_TRANSITIVE","compatibilityLevel":"BACKWARD_TRANSITIVE"}')
  else if (request.url === '/team/a/_health') response.end('{"karapace_version":"6.2.0","healthy":true}')
  else response.writeHead(404).end('{"error_code":404,"message":"not here"}')
})
let host: string
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  host = `127.0.0.1:${(server.address() as { port: number }).port}`
})
afterAll(() => {
  server.close()
  server.closeAllConnections()
})

const addresses: [string, (host: string) => string, { username: string; password: string } | undefined][] = [
  ['in the address', (at) => `http://us%40er:p%2Fss@${at}/team/a`, undefined],
  ['in the address, with a slash at the end', (at) => `http://us%40er:p%2Fss@${at}/team/a/`, undefined],
  ['beside it', (at) => `http://${at}/team/a/`, { username: 'us@er', password: 'p/ss' }],
]
test.each(addresses)('a registry below a sub-path is reached with the login %s', async (_where, address, login) => {
  asked.splice(0)
  expect(await register(registryClient(address(host), login), Document)).toBe(7)
  expect(await checkRegistry(address(host), login, () => 0)).toContainEqual(
    expect.objectContaining({
      check: 'registry',
      state: 'ok',
      found: expect.stringMatching(/^Karapace 6\.2\.0, 1 of/),
    }),
  )
  const [, ...hanging] = await whatHangs(
    {
      brokers: ['127.0.0.1:9'],
      registryUrl: address(host),
      clickhouseUrl: `http://${host}`,
      ...(login && { credentials: { registry: login } }),
    },
    1000,
  )
  expect(hanging).toEqual([])
  for (const path of asked) expect(path).toMatch(/^[A-Z]+ \/(team\/a\/(subjects|config|v1|_health)|apis\/|\?)/)
})

test('a registry that takes long for its many answers is not told to have another time', async () => {
  asked.splice(0)
  const now = () => Date.now() + (asked.length > 1 ? 60_000 : 0)
  const found = await checkRegistry(addresses[0]![1](host), undefined, now)
  expect(found).toMatchObject([{ state: 'ok' }])
  expect(asked.length).toBeGreaterThan(1)
})

test('a wrong login is told without the password', async () => {
  const address = `http://us%40er:wrong-one@${host}/team/a`
  const refused = await register(registryClient(address), Document).catch((error: Error) => error)
  const found = await checkRegistry(address, undefined, () => 0)
  expect(refused).toMatchObject({ code: 'CONFIGURATION' })
  expect(found).toMatchObject([{ state: 'problem' }])
  expect(JSON.stringify([found, refused, (refused as Error).message])).not.toContain('wrong-one')
})

test('an address is shown without its login, and a login given separately takes precedence', () => {
  expect(withoutLogin('https://u:secret@host:8081/apis/ccompat/v7/')).toBe('https://host:8081/apis/ccompat/v7')
  expect(withoutLogin('mock://test')).toBe('mock://test')
  expect(httpAddress('http://u:a@host/x', { username: 'v', password: 'b' })).toEqual({
    url: 'http://host/x',
    login: { username: 'v', password: 'b' },
    headers: { authorization: `Basic ${Buffer.from('v:b').toString('base64')}` },
  })
})
