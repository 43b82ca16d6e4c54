import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { matches, type TrustedProxy, type Visitor, visitorOf } from './identity.ts'
import { probePaths } from './probes.ts'

/** `localhost` too: on every supported system it is this machine. */
const loopback = /^(127\.\d+\.\d+\.\d+|localhost|\[?::1\]?)$/
const cookie = 'winnow-board'

const isLoopback = (host: string): boolean => loopback.test(host)

/** The token that a page must bring; undefined if none is needed: on loopback, unless one is set, and behind a proxy that knows who visits. */
export const tokenFor = (host: string, given: string | undefined, proxy?: TrustedProxy): string | undefined =>
  given ?? (isLoopback(host) || proxy !== undefined ? undefined : randomBytes(18).toString('base64url'))

/** With a random token in it. One that was given is a secret, which logs must not have. */
export const printedAddress = (address: string, token: string | undefined, given: string | undefined): string =>
  token === given ? address : `${address}/?token=${token}`

export interface Access {
  readonly token?: string | undefined
  readonly proxy?: TrustedProxy | undefined
  /** Called with each change that is let through. */
  readonly onChange?: (change: { user: string | undefined; method: string; url: string }) => void
}

/**
 * Who has access. Through a trusted proxy: visitors by the role of their groups, who change something only with `operate`. With a token: whoever
 * brings it, once as `?token=` in the address (it becomes a cookie), or as a bearer token, may do everything. With neither: requests under a name of
 * this machine. Changes are accepted only from the board's own page. Probes of orchestrators are answered to all. `/api/visitor` says whether the visitor may
 * change something, so that a page offers nothing that would be refused.
 */
export function guard(server: FastifyInstance, { token, proxy, onChange }: Access): void {
  const visitorIn = ({ raw: { headers, socket } }: FastifyRequest) =>
    proxy && visitorOf({ headers, remoteAddress: socket.remoteAddress }, proxy)
  server.addHook('onRequest', async (request, reply) => {
    if (request.method === 'GET' && probePaths.has(request.url)) return
    const changes = request.method !== 'GET' && request.method !== 'HEAD'
    const visitor = visitorIn(request)
    if (visitor !== undefined) {
      const refused = refusalOf(visitor, changes)
      if (refused !== undefined) return await refuse(reply, 403, refused)
    } else if (token === undefined && proxy !== undefined) {
      return await refuse(reply, 401, 'the board is behind a proxy that says who visits: open its address')
    } else if (token === undefined) {
      // Otherwise a page of another site whose name was made to point here could read everything (DNS rebinding).
      const name = (request.headers.host ?? '').replace(/:\d+$/, '')
      if (!isLoopback(name)) return await refuse(reply, 403, 'the board answers to 127.0.0.1 and localhost only')
    } else if (!matches(tokenOf(request), token)) {
      const shown = (request.query as { token?: unknown }).token
      if (request.method === 'GET' && request.url.startsWith('/?') && matches(shown, token)) {
        const value = `${cookie}=${token}; HttpOnly; SameSite=Strict; Path=/`
        return await reply.header('set-cookie', value).redirect('/')
      }
      return await refuse(
        reply,
        401,
        'the board needs its token, once: /?token=TOKEN, with WINNOW_BOARD_TOKEN or what it printed when it started',
      )
    }
    if (!changes) return
    if (!fromOwnPage(request, visitor))
      return await refuse(reply, 403, "changes are accepted only from the board's own page")
    onChange?.({ user: visitor?.user, method: request.method, url: request.url })
  })
  server.get('/api/visitor', async (request, reply) => {
    const visitor = visitorIn(request)
    // Another visitor may come through the same proxy next.
    reply.header('cache-control', 'no-store')
    return { user: visitor?.user ?? null, changesNothing: (visitor && refusalOf(visitor, true)) ?? null }
  })
}

function refusalOf({ user, role }: Visitor, changes: boolean): string | undefined {
  const who = user ?? 'you'
  if (role === null) return `${who} may not see the board: WINNOW_BOARD_READERS names the groups that may`
  if (changes && role === 'read')
    return `${who} may read and change nothing: WINNOW_BOARD_OPERATORS names the groups that may`
  return undefined
}

const refuse = (reply: FastifyReply, code: number, message: string) => reply.code(code).send({ message })

/** Browsers send the origin with every request that changes something; other clients, which hold nobody's cookies, need not. */
function fromOwnPage({ headers }: FastifyRequest, visitor: Visitor | undefined): boolean {
  const { origin } = headers
  // A proxy that asks under another name says which one it was asked under.
  const host = (visitor && headers['x-forwarded-host']) ?? headers.host
  if (origin === undefined) return headers['sec-fetch-site'] === undefined
  return URL.canParse(origin) && new URL(origin).host === host
}

function tokenOf({ headers }: FastifyRequest): string | undefined {
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1]
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='))
  return bearer ?? pairs.find(([name]) => name === cookie)?.[1]
}
