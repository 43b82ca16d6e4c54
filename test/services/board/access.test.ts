import fastify from 'fastify'
import { expect, test } from 'vitest'
import { guard, printedAddress, tokenFor } from '../../../services/board/access.ts'
import { serveProbes } from '../../../services/board/probes.ts'

function boardWith(token: string | undefined) {
  const server = fastify()
  guard(server, { token })
  server.get('/', async () => 'page')
  server.get('/api/snapshot', async () => 'everything')
  server.post('/api/change', async () => 'changed')
  return server
}

test('on loopback no token is required unless one is set; elsewhere one is always required, random if none is set', () => {
  expect(tokenFor('127.0.0.1', undefined)).toBeUndefined()
  expect(tokenFor('localhost', undefined)).toBeUndefined()
  expect(tokenFor('::1', undefined)).toBeUndefined()
  expect(tokenFor('127.0.0.1', 'mine')).toBe('mine')
  const [one, other] = [tokenFor('0.0.0.0', undefined)!, tokenFor('10.0.0.1', undefined)!]
  expect(one).toMatch(/^[\w-]{24}$/)
  expect(other).not.toBe(one)
})

test('a page of another site whose name resolves to this machine is refused (DNS rebinding)', async () => {
  const board = boardWith(undefined)
  const asked = (host: string) => board.inject({ url: '/api/snapshot', headers: { host } })
  expect((await asked('127.0.0.1:7077')).statusCode).toBe(200)
  expect((await asked('[::1]:7077')).statusCode).toBe(200)
  expect((await asked('attacker.example:7077')).statusCode).toBe(403)
  expect((await asked('127.0.0.1.attacker.example')).statusCode).toBe(403)
})

test('the printed address has a random token, and none that was given', () => {
  expect(printedAddress('http://127.0.0.1:1', undefined, undefined)).toBe('http://127.0.0.1:1')
  expect(printedAddress('http://127.0.0.1:1', 'random', undefined)).toBe('http://127.0.0.1:1/?token=random')
  expect(printedAddress('http://127.0.0.1:1', 'given', 'given')).toBe('http://127.0.0.1:1')
})

test('once a token is set, no request is answered without it', async () => {
  const board = boardWith('secret')
  const statusOf = async (url: string, headers = {}) => (await board.inject({ url, headers })).statusCode
  expect(await statusOf('/api/snapshot')).toBe(401)
  expect(await statusOf('/')).toBe(401)
  expect(await statusOf('/?token=wrong')).toBe(401)
  expect(await statusOf('/api/snapshot?token=secret')).toBe(401)
  expect(await statusOf('/api/snapshot', { authorization: 'Bearer wrong' })).toBe(401)
  expect(await statusOf('/api/snapshot', { cookie: 'winnow-board=secre' })).toBe(401)
  expect(await statusOf('/api/snapshot', { authorization: 'Bearer secret' })).toBe(200)
})

test('opening the printed address stores the token in a cookie that scripts and other sites cannot use', async () => {
  const board = boardWith('secret')
  const first = await board.inject({ url: '/?token=secret' })
  expect([first.statusCode, first.headers.location]).toEqual([302, '/'])
  const cookie = String(first.headers['set-cookie'])
  expect(cookie).toMatch(/HttpOnly/)
  expect(cookie).toMatch(/SameSite=Strict/)
  const next = await board.inject({ url: '/', headers: { cookie: cookie.split(';')[0]! } })
  expect(next.statusCode).toBe(200)
})

test('changes are accepted from the board’s own page and from clients that are not browsers, never from another site', async () => {
  const board = boardWith(undefined)
  const statusOf = async (headers: Record<string, string>) =>
    (await board.inject({ method: 'POST', url: '/api/change', headers: { host: '127.0.0.1:7077', ...headers } }))
      .statusCode
  expect(await statusOf({ origin: 'http://127.0.0.1:7077' })).toBe(200)
  expect(await statusOf({})).toBe(200)
  expect(await statusOf({ origin: 'https://attacker.example' })).toBe(403)
  expect(await statusOf({ origin: 'http://127.0.0.1:8080' })).toBe(403)
  expect(await statusOf({ origin: 'null' })).toBe(403)
  expect(await statusOf({ 'sec-fetch-site': 'cross-site' })).toBe(403)
})

test('probes are answered without the token and under any name, and say ready once the topics are read', async () => {
  for (const token of ['secret', undefined]) {
    const board = fastify()
    guard(board, { token })
    let hasRead = false
    serveProbes(board, () => hasRead)
    board.get('/api/snapshot', async () => 'everything')
    const asked = async (url: string) => {
      const { statusCode, body } = await board.inject({ url, headers: { host: '10.1.2.3:7077' } })
      return [statusCode, body]
    }
    expect(await asked('/readyz')).toEqual([503, 'the board is reading the topics\n'])
    hasRead = true
    expect(await asked('/readyz')).toEqual([200, 'ok\n'])
    expect(await asked('/livez')).toEqual([200, 'ok\n'])
    for (const url of ['/api/snapshot', '/readyz/../api/snapshot', '/readyz/x', '//readyz'])
      expect((await asked(url))[0], url).not.toBe(200)
  }
})
