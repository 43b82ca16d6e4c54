import { httpAddress } from '../address.ts'
import { WinnowError } from '../errors.ts'
import { changed, failureOf, readOnly } from './failures.ts'
import { shownPlace } from './place.ts'
import type { ObjectStore, StoredObject } from './store.ts'

const credentials =
  'a login can be part of the address (https://USER:PASSWORD@HOST/PATH), or be signed into its parameters'

/** Answers to a HEAD are not asked for: many servers refuse it where the address is signed for GET. */
export const httpStore: ObjectStore = {
  open: async (uri, version) => await openHttp(uri, httpAddressOf(uri), { ...(version !== undefined && { version }) }),
  // biome-ignore lint/correctness/useYield: there are no lists
  async *list(uri) {
    throw new WinnowError('CONFIGURATION', `${shownPlace(uri)} cannot be listed: a web server has no folders`, {
      hint: 'give the addresses of the files',
    })
  },
  async preparePut(uri) {
    throw readOnly(uri)
  },
  async put(uri) {
    throw readOnly(uri)
  },
}

export interface HttpAddress {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

function httpAddressOf(uri: string): HttpAddress {
  const bare = new URL(uri)
  const { headers } = httpAddress(uri)
  bare.username = ''
  bare.password = ''
  return { url: bare.href, headers }
}

export interface OpenHttpOptions {
  readonly version?: string
  /** The address itself names the content, as that of a commit does: what caches say about it does not count. */
  readonly fixed?: string
  readonly credentials?: string
}

/**
 * A file of a web server that serves ranges. Its version is its strong ETag, else what it says about its last change, else its length alone.
 * @returns null if there is none
 */
export async function openHttp(
  uri: string,
  { url, headers }: HttpAddress,
  options: OpenHttpOptions = {},
): Promise<StoredObject | null> {
  const fail = (status: number | undefined, reason: string) =>
    failureOf(uri, { status, reason }, options.credentials ?? credentials)
  const get = async (start: number, end: number, more: Readonly<Record<string, string>>, signal?: AbortSignal) => {
    const range = { range: `bytes=${start}-${end - 1}`, 'accept-encoding': 'identity' }
    return await fetch(url, { headers: { ...headers, ...range, ...more }, signal: signal ?? null }).catch((error) => {
      throw fail(undefined, reasonOf(error))
    })
  }

  const first = await get(0, 1, {}, AbortSignal.timeout(60_000))
  await first.body?.cancel()
  if (first.status === 404 || first.status === 410) return null
  const byteLength = first.status === 416 ? 0 : lengthOf(first)
  if (first.status !== 206 && first.status !== 416) {
    if (!first.ok) throw fail(first.status, first.statusText || 'no reason was given')
    throw new WinnowError('CONFIGURATION', `${shownPlace(uri)} cannot be read in parts: its server serves no ranges`, {
      hint: 'download it, and give the file',
    })
  }
  if (byteLength === null) throw fail(400, `its server does not say how long it is`)
  const version = options.fixed ?? versionOf(first, byteLength)
  if (options.version !== undefined && options.version !== version) throw changed(uri)

  const read = async (start: number, end: number, signal: AbortSignal) => {
    const answer = await get(start, end, options.fixed === undefined ? conditionOf(version) : {}, signal)
    const refuse = async (error: WinnowError) => {
      await answer.body?.cancel()
      return error
    }
    // A server that takes no conditions sends the new content, and says so in the headers; one that ignores the range sends all of it.
    if (answer.status === 200) throw await refuse(changed(uri))
    if (answer.status !== 206) throw await refuse(fail(answer.status, answer.statusText || 'no reason was given'))
    const same = lengthOf(answer) === byteLength && (options.fixed ?? versionOf(answer, byteLength)) === version
    if (!same || startOf(answer) !== start) throw await refuse(changed(uri))
    return answer.body!
  }
  return { uri, byteLength, version, read }
}

/** Undici says 'fetch failed', and why in the cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error && cause.message !== '' ? cause.message : message
}

const contentRange = /^bytes (\d+)-\d+\/(\d+)$/

function lengthOf(answer: Response): number | null {
  const match = contentRange.exec(answer.headers.get('content-range') ?? '')
  return match === null ? null : Number(match[2])
}

const startOf = (answer: Response): number => Number(contentRange.exec(answer.headers.get('content-range') ?? '')?.[1])

const versionOf = ({ headers }: Response, byteLength: number): string =>
  headers.get('etag') ?? headers.get('last-modified') ?? `${byteLength} bytes`

/** Only a strong ETag may be asked for (RFC 9110, 13.1.1); of the others the answer's headers tell. */
function conditionOf(version: string): Record<string, string> {
  if (version.startsWith('"')) return { 'if-match': version }
  return /GMT$/.test(version) ? { 'if-unmodified-since': version } : {}
}
