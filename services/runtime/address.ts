export interface Login {
  readonly username: string
  readonly password: string
}

/** An address as it may be shown: without user and password, and without a slash at its end. */
export function withoutLogin(address: string): string {
  if (!URL.canParse(address)) return address
  const url = new URL(address)
  url.username = ''
  url.password = ''
  return url.href.replace(/\/+$/, '')
}

/**
 * An HTTP address for requests: paths are put behind `url`, which may have one of its own (a registry below a sub-path), and the login goes
 * into a header, since fetch refuses addresses that hold one. A `login` that is given counts more than the one in the address.
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
