import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { BlockList, isIP } from 'node:net'
import { WinnowError } from '../runtime/errors.ts'

/** `read` sees everything; `operate` may also change something. */
export type Role = 'read' | 'operate'

export interface Visitor {
  /** As the proxy names them; undefined: it does not. */
  readonly user: string | undefined
  /** Null: they are known, and in no group that may do anything. */
  readonly role: Role | null
}

/** A proxy that knows who visits, and how it is told from anybody else. */
export interface TrustedProxy {
  /** What it sends as the password of Basic authentication (oauth2-proxy) or as `X-Winnow-Proxy-Secret`. */
  readonly secret?: string | undefined
  /** Where its connections come from. With a secret both have to be right. */
  readonly from?: BlockList | undefined
  /** Beginning of the names of the headers in which it says who visits. Others are not read: a visitor may have sent them. */
  readonly headers: 'x-forwarded' | 'x-auth-request'
  /** Groups whose members may read, and operate; `*` is everybody that the proxy lets in. */
  readonly readers: ReadonlySet<string>
  readonly operators: ReadonlySet<string>
}

const listOf = (text: string | undefined): string[] =>
  (text ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')

/**
 * The proxy that the environment configures: WINNOW_BOARD_PROXY_SECRET, WINNOW_BOARD_PROXY_FROM, WINNOW_BOARD_PROXY_HEADERS
 * (default: x-forwarded), WINNOW_BOARD_READERS (default: all that it lets in),
 * WINNOW_BOARD_OPERATORS (default: nobody). @returns undefined if there is none @throws WinnowError CONFIGURATION
 */
export function trustedProxy(env: NodeJS.ProcessEnv): TrustedProxy | undefined {
  const secret = env.WINNOW_BOARD_PROXY_SECRET || undefined
  const from = listOf(env.WINNOW_BOARD_PROXY_FROM)
  const { WINNOW_BOARD_READERS: readers, WINNOW_BOARD_OPERATORS: operators } = env
  if (secret === undefined && from.length === 0) {
    if (!readers && !operators) return undefined
    throw new WinnowError(
      'CONFIGURATION',
      'groups of the board are set, and no proxy that would be believed about them',
      {
        hint: 'Set WINNOW_BOARD_PROXY_SECRET or WINNOW_BOARD_PROXY_FROM (docs/board/README.md).',
      },
    )
  }
  const headers = (env.WINNOW_BOARD_PROXY_HEADERS || 'x-forwarded').toLowerCase()
  if (headers !== 'x-forwarded' && headers !== 'x-auth-request') {
    throw new WinnowError('CONFIGURATION', `WINNOW_BOARD_PROXY_HEADERS is ${headers}`, {
      hint: 'x-forwarded, or x-auth-request.',
    })
  }
  return {
    headers,
    ...(secret !== undefined && { secret }),
    ...(from.length > 0 && { from: addressesOf(from) }),
    readers: new Set(listOf(readers || '*')),
    operators: new Set(listOf(operators)),
  }
}

function addressesOf(from: readonly string[]): BlockList {
  const list = new BlockList()
  for (const one of from) {
    const [address = '', bits] = one.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    const most = family === 'ipv6' ? 128 : 32
    if (isIP(address) === 0 || (bits !== undefined && !(/^\d+$/.test(bits) && Number(bits) <= most))) {
      throw new WinnowError('CONFIGURATION', `WINNOW_BOARD_PROXY_FROM has ${one}, which is no address`, {
        hint: 'Addresses or networks, separated by commas: 10.0.3.7,10.1.0.0/16.',
      })
    }
    list.addSubnet(address, bits === undefined ? most : Number(bits), family)
  }
  return list
}

/** Who visits; undefined: the request is not the proxy's, and what it says about a visitor is not believed. */
export function visitorOf(
  { headers, remoteAddress }: { headers: IncomingHttpHeaders; remoteAddress: string | undefined },
  proxy: TrustedProxy,
): Visitor | undefined {
  if (proxy.secret !== undefined && !sent(headers, proxy.secret)) return undefined
  if (proxy.from !== undefined && !isFrom(remoteAddress, proxy.from)) return undefined
  const groups = listOf(first(headers, [`${proxy.headers}-groups`]))
  const isOf = (set: ReadonlySet<string>) => set.has('*') || groups.some((group) => set.has(group))
  const role = isOf(proxy.operators) ? 'operate' : isOf(proxy.readers) ? 'read' : null
  return {
    user: first(
      headers,
      userNames.map((name) => `${proxy.headers}-${name}`),
    ),
    role,
  }
}

/** What oauth2-proxy calls them; which of them there are depends on the provider. */
const userNames = ['preferred-username', 'email', 'user']

/** The first of these headers; one that came several times is none, since somebody else may have added to it. */
function first(headers: IncomingHttpHeaders, names: readonly string[]): string | undefined {
  const found = names.map((name) => headers[name]).find((value) => value !== undefined)
  return typeof found === 'string' && found !== '' ? found : undefined
}

function sent(headers: IncomingHttpHeaders, secret: string): boolean {
  const basic = /^Basic (.+)$/.exec(headers.authorization ?? '')?.[1]
  const login = basic === undefined ? '' : Buffer.from(basic, 'base64').toString('utf8')
  return matches(headers['x-winnow-proxy-secret'], secret) || matches(login.slice(login.indexOf(':') + 1), secret)
}

/** In time that tells nothing about the secret. */
export function matches(given: unknown, secret: string): boolean {
  if (typeof given !== 'string') return false
  const [a, b] = [Buffer.from(given), Buffer.from(secret)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function isFrom(address: string | undefined, list: BlockList): boolean {
  // A socket for both families names IPv4 addresses within IPv6.
  const bare = (address ?? '').replace(/^::ffff:/, '')
  return isIP(bare) !== 0 && list.check(bare, isIP(bare) === 6 ? 'ipv6' : 'ipv4')
}
