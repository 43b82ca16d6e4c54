import { createSign, createVerify, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request as ask, createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import fastify from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { guard, tokenFor } from '../../../services/board/access.ts'
import { trustedProxy, visitorOf } from '../../../services/board/identity.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** An id token as an OpenID provider signs it (RS256). */
function idToken(claims: object, key = privateKey): string {
  const signed = `${base64({ alg: 'RS256' })}.${base64({ exp: Date.UTC(2100, 0) / 1000, ...claims })}`
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key, 'base64url')}`
}

interface Claims {
  readonly email: string
  readonly groups: readonly string[]
  readonly exp: number
}

function verified(token: string): Claims | undefined {
  const [head = '', body = '', signature = ''] = token.split('.')
  if (!createVerify('RSA-SHA256').update(`${head}.${body}`).verify(publicKey, signature, 'base64url')) return undefined
  return JSON.parse(Buffer.from(body, 'base64url').toString()) as Claims
}

/** What oauth2-proxy does for a session that has begun: it verifies, drops what a visitor says of themselves, and passes the request on. */
async function startProxy(target: number, secret: string): Promise<string> {
  const proxy = createServer((incoming, response) => {
    const claims = verified(/^Bearer (.+)$/.exec(incoming.headers.authorization ?? '')?.[1] ?? '')
    if (claims === undefined) return void response.writeHead(401).end('log in')
    const kept = Object.entries(incoming.headers).filter(
      ([name]) => !/^(x-forwarded-|x-auth-|authorization$)/.test(name),
    )
    const headers = {
      ...Object.fromEntries(kept),
      'x-forwarded-email': claims.email,
      'x-forwarded-groups': claims.groups.join(','),
      authorization: `Basic ${Buffer.from(`${claims.email}:${secret}`).toString('base64')}`,
    } as IncomingHttpHeaders
    const { method, url } = incoming
    const onward = ask({ host: '127.0.0.1', port: target, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    incoming.pipe(onward)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  onTestFinished(() => void proxy.close())
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
}

async function startBoard(env: NodeJS.ProcessEnv) {
  const server = fastify()
  const changes: object[] = []
  const proxy = trustedProxy(env)!
  guard(server, { proxy, token: env.WINNOW_BOARD_TOKEN, onChange: (change) => changes.push(change) })
  server.get('/api/snapshot', async () => 'everything')
  server.post('/api/change', async () => 'changed')
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  onTestFinished(() => server.close())
  return { url, port: Number(new URL(url).port), changes }
}

const env = {
  WINNOW_BOARD_PROXY_SECRET: 'of-this-test',
  WINNOW_BOARD_READERS: 'research, platform',
  WINNOW_BOARD_OPERATORS: 'platform',
}

test('behind a proxy that verifies identities, readers read, operators also change, and others see nothing', async () => {
  const board = await startBoard(env)
  const url = await startProxy(board.port, env.WINNOW_BOARD_PROXY_SECRET)
  const statusOf = async (path: string, token: string, method = 'GET', headers: Record<string, string> = {}) => {
    const answer = await fetch(`${url}${path}`, { method, headers: { authorization: `Bearer ${token}`, ...headers } })
    await answer.text()
    return answer.status
  }
  const of = (email: string, ...groups: string[]) => idToken({ email, groups })
  const both = async (token: string) => [
    await statusOf('/api/snapshot', token),
    await statusOf('/api/change', token, 'POST'),
  ]
  expect(await both(of('ada@example.org', 'research'))).toEqual([200, 403])
  expect(await both(of('bob@example.org', 'platform'))).toEqual([200, 200])
  expect(await both(of('eve@example.org', 'sales'))).toEqual([403, 403])
  const forged = idToken(
    { email: 'eve@example.org', groups: ['platform'] },
    generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  )
  expect(await both(forged)).toEqual([401, 401])
  const claimed = { 'x-forwarded-groups': 'platform', 'x-auth-request-groups': 'platform' }
  expect(await statusOf('/api/change', of('ada@example.org', 'research'), 'POST', claimed)).toBe(403)
  const elsewhere = { origin: 'https://attacker.example' }
  expect(await statusOf('/api/change', of('bob@example.org', 'platform'), 'POST', elsewhere)).toBe(403)
  const told = async (token: string) =>
    await (await fetch(`${url}/api/visitor`, { headers: { authorization: `Bearer ${token}` } })).json()
  expect(await told(of('ada@example.org', 'research'))).toEqual({
    user: 'ada@example.org',
    changesNothing: expect.stringContaining('ada@example.org may read and change nothing: WINNOW_BOARD_OPERATORS'),
  })
  expect(await told(of('bob@example.org', 'platform'))).toEqual({ user: 'bob@example.org', changesNothing: null })
  expect(board.changes).toEqual([{ user: 'bob@example.org', method: 'POST', url: '/api/change' }])
})

test('what a request says about its visitor is not believed without the secret of the proxy; a token goes on to open the board', async () => {
  const said = { 'x-forwarded-groups': 'platform', 'x-forwarded-email': 'eve@example.org' }
  const board = await startBoard({ ...env, WINNOW_BOARD_TOKEN: 'a-token' })
  const closed = await startBoard(env)
  const statusOf = async (url: string, headers: Record<string, string>) =>
    (await fetch(`${url}/api/change`, { method: 'POST', headers: { ...said, ...headers } })).status
  const basic = (password: string) => ({ authorization: `Basic ${Buffer.from(`eve:${password}`).toString('base64')}` })
  for (const headers of [{}, basic('guessed'), { 'x-winnow-proxy-secret': 'guessed' }] as Record<string, string>[])
    expect([await statusOf(board.url, headers), await statusOf(closed.url, headers)]).toEqual([401, 401])
  expect(await statusOf(closed.url, { 'x-winnow-proxy-secret': 'of-this-test' })).toBe(200)
  expect(await statusOf(board.url, { authorization: 'Bearer a-token' })).toBe(200)
  expect(tokenFor('0.0.0.0', undefined, trustedProxy(env))).toBeUndefined()
})

test('a proxy may be known by its address instead, or besides', () => {
  const proxy = trustedProxy({
    WINNOW_BOARD_PROXY_FROM: '10.1.0.0/16,192.168.3.7, fd00::/8',
    WINNOW_BOARD_PROXY_HEADERS: 'X-Auth-Request',
    WINNOW_BOARD_OPERATORS: 'ops',
  })!
  const headers = { 'x-auth-request-groups': 'dev,ops', 'x-auth-request-user': 'ada' }
  const of = (remoteAddress: string | undefined, given: IncomingHttpHeaders = headers) =>
    visitorOf({ headers: given, remoteAddress }, proxy)
  for (const address of ['10.1.200.3', '::ffff:10.1.2.3', '192.168.3.7', 'fd00::1'])
    expect(of(address)).toEqual({ user: 'ada', role: 'operate' })
  for (const address of ['10.2.0.1', '192.168.3.8', '::1', 'fe80::1', undefined]) expect(of(address)).toBeUndefined()
  expect(of('10.1.0.1', {})).toEqual({ user: undefined, role: 'read' })
  // The other family of headers is the visitor's own.
  const own = { 'x-forwarded-groups': 'ops', 'x-forwarded-user': 'eve' }
  expect(of('10.1.0.1', own)).toEqual({ user: undefined, role: 'read' })
  const both = trustedProxy({ WINNOW_BOARD_PROXY_FROM: '10.1.0.1', WINNOW_BOARD_PROXY_SECRET: 'x' })!
  expect(visitorOf({ headers, remoteAddress: '10.1.0.1' }, both)).toBeUndefined()
  expect(visitorOf({ headers: { 'x-winnow-proxy-secret': 'x' }, remoteAddress: '10.1.0.2' }, both)).toBeUndefined()
})

test('groups without a proxy that would be believed, and what is no address, are refused at the start', () => {
  expect(trustedProxy({})).toBeUndefined()
  expect(() => trustedProxy({ WINNOW_BOARD_OPERATORS: 'ops' })).toThrow('no proxy that would be believed')
  for (const from of ['proxy.internal', '10.0.0.0/33', '10.0.0.0/x'])
    expect(() => trustedProxy({ WINNOW_BOARD_PROXY_FROM: from })).toThrow(`${from}, which is no address`)
  const other = { WINNOW_BOARD_PROXY_SECRET: 'x', WINNOW_BOARD_PROXY_HEADERS: 'x-real' }
  expect(() => trustedProxy(other)).toThrow('WINNOW_BOARD_PROXY_HEADERS is x-real')
})

test('the example for Docker Compose gives board and proxy the same secret, and the board only variables that it reads', () => {
  const file = join(import.meta.dirname, '../../../deploy/compose.oidc.yaml')
  const resolve = {
    customTags: ['reset'].map((name) => ({ tag: `!${name}`, collection: 'seq' as const, resolve: () => [] })),
  }
  const { services } = parse(readFileSync(file, 'utf8'), resolve) as {
    services: Record<string, { environment: Record<string, string> }>
  }
  const [board, proxy] = [services.board!.environment, services['oauth2-proxy']!.environment]
  const variableIn = (value: string | undefined) => /^\$\{(\w+)/.exec(value ?? '')?.[1]
  expect(variableIn(board.WINNOW_BOARD_PROXY_SECRET)).toBe(variableIn(proxy.OAUTH2_PROXY_BASIC_AUTH_PASSWORD))
  const read: string[] = []
  const watched = new Proxy(board, { get: (target, name: string) => read.push(name) && target[name] })
  expect(trustedProxy(watched)).toMatchObject({ headers: 'x-forwarded' })
  for (const name of Object.keys(board)) expect([...read, 'WINNOW_BOARD_TOKEN']).toContain(name)
})
