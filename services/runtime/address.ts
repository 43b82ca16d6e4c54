export interface Login {
  readonly username: string
  readonly password: string
}

/** An address fit for display: without user and password, and without a trailing slash. */
export function withoutLogin(address: string): string {
  if (!URL.canParse(address)) return address
  const url = new URL(address)
  url.username = ''
  url.password = ''
  return url.href.replace(/\/+$/, '')
}

/**
 * An HTTP address for requests. Paths are appended to `url`, which may have a path of its own (a registry under a sub-path). Credentials go
 * into a header, since fetch rejects URLs that contain them; `login` takes precedence over those in the address.
 */
export function httpAddress(
  address: string,
  login?: Login,
): { url: string; login?: Login; headers: Record<string, string> } {
  const url = withoutLogin(address)
  const { username, password } = new URL(address)
  const known =
    login ??
    (username === '' ? undefined : { username: decodeURIComponent(username), password: decodeURIComponent(password) })
  if (known === undefined) return { url, headers: {} }
  const authorization = `Basic ${Buffer.from(`${known.username}:${known.password}`).toString('base64')}`
  return { url, login: known, headers: { authorization } }
}
