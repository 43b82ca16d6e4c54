import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { probePaths } from './probes.ts'

/** `localhost` too: on every supported system it is this machine. */
const loopback = /^(127\.\d+\.\d+\.\d+|localhost|\[?::1\]?)$/
const cookie = 'winnow-board'

const isLoopback = (host: string): boolean => loopback.test(host)

/** The token that a page must bring; undefined if none is needed: on loopback, unless one is set. */
export const tokenFor = (host: string, given: string | undefined): string | undefined =>
  given ?? (isLoopback(host) ? undefined : randomBytes(18).toString('base64url'))

/**
 * Who has access. With a token: whoever brings it, once as `?token=` in the address (it becomes a cookie), or as a bearer token. Without:
 * requests under a name of this machine. Changes are accepted only from the board's own page. Probes of orchestrators are answered to all.
 */
export function guard(server: FastifyInstance, token: string | undefined): void {
  server.addHook('onRequest', async (request, reply) => {
    if (request.method === 'GET' && probePaths.has(request.url)) return
    if (token === undefined) {
      // Otherwise a page of another site whose name was made to point here could read everything (DNS rebinding).
      const name = (request.headers.host ?? '').replace(/:\d+$/, '')
      if (!isLoopback(name)) return await refuse(reply, 403, 'the board answers to 127.0.0.1 and localhost only')
    } else if (!matches(tokenOf(request), token)) {
      const shown = (request.query as { token?: unknown }).token
      if (request.method === 'GET' && request.url.startsWith('/?') && matches(shown, token)) {
        const value = `${cookie}=${token}; HttpOnly; SameSite=Strict; Path=/`
        return await reply.header('set-cookie', value).redirect('/')
      }
      return await refuse(reply, 401, 'the board needs its token: open the address printed when it started')
    }
    if (request.method !== 'GET' && request.method !== 'HEAD' && !fromOwnPage(request))
      return await refuse(reply, 403, "changes are accepted only from the board's own page")
  })
}

const refuse = (reply: FastifyReply, code: number, message: string) => reply.code(code).send({ message })

/** Browsers send the origin with every request that changes something; other clients, which hold nobody's cookies, need not. */
function fromOwnPage({ headers }: FastifyRequest): boolean {
  const { origin, host } = headers
  if (origin === undefined) return headers['sec-fetch-site'] === undefined
  return URL.canParse(origin) && new URL(origin).host === host
}

function tokenOf({ headers }: FastifyRequest): string | undefined {
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1]
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='))
  return bearer ?? pairs.find(([name]) => name === cookie)?.[1]
}

function matches(given: unknown, token: string): boolean {
  if (typeof given !== 'string') return false
  const [a, b] = [Buffer.from(given), Buffer.from(token)]
  return a.length === b.length && timingSafeEqual(a, b)
}
