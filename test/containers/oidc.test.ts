import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fastify from 'fastify'
import { beforeAll, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { choosePorts } from '../../deploy/dev/ports.ts'
import { guard, tokenFor } from '../../services/board/access.ts'
import { trustedProxy } from '../../services/board/identity.ts'

// The programs themselves, where they are on the PATH: CONTRIBUTING.md says how to build them.
const missing = ['dex', 'oauth2-proxy'].filter((program) => spawnSync(program, ['--help']).error !== undefined)
const because = missing.length === 0 ? '' : ` (skipped: no ${missing.join(' and no ')} on the PATH)`

const tag = { tag: '!reset', collection: 'seq' as const, resolve: () => [] }
const { services } = parse(readFileSync(join(import.meta.dirname, '../../deploy/compose.oidc.yaml'), 'utf8'), {
  customTags: [tag],
}) as { services: Record<string, { environment: Record<string, string> }> }

/** A service's environment in the compose file, with these variables set. */
const environmentOf = (service: string, variables: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(services[service]!.environment).map(([name, value]) => [
      name,
      value.replace(
        /\$\{(\w+)(?::[-?]([^}]*))?\}/g,
        (_, variable: string, otherwise = '') => variables[variable] ?? otherwise,
      ),
    ]),
  )

/** `password`, by bcrypt. */
const hash = '$2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W'
const groups = { ada: 'research', bob: 'platform', eve: 'sales' }

let proxy: string
let board: string
const changes: object[] = []

function start(program: string, args: string[], env: NodeJS.ProcessEnv): void {
  const child = spawn(program, args, { env: { PATH: process.env.PATH, ...env }, stdio: 'ignore' })
  stops.push(() => child.kill())
}
const stops: (() => unknown)[] = []

async function untilOk(url: string): Promise<void> {
  const late = AbortSignal.timeout(30_000)
  while (!(await fetch(url).catch(() => undefined))?.ok) {
    if (late.aborted) throw new Error(`${url} does not answer`)
    await sleep(100)
  }
}

beforeAll(async () => {
  if (missing.length > 0) return
  const folder = mkdtempSync(join(tmpdir(), 'winnow-oidc-'))
  stops.push(() => rmSync(folder, { recursive: true, force: true }))
  const ports = await choosePorts(join(folder, 'ports.json'), ['dex', 'proxy'])
  const issuer = `http://127.0.0.1:${ports.dex}/dex`
  proxy = `http://127.0.0.1:${ports.proxy}`
  const variables = {
    OIDC_ISSUER_URL: issuer,
    OIDC_CLIENT_ID: 'winnow',
    OIDC_CLIENT_SECRET: 'secret-of-the-client',
    COOKIE_SECRET: '0123456789abcdef0123456789abcdef',
    BOARD_PROXY_SECRET: 'secret-of-the-proxy',
    BOARD_READERS: 'research,platform',
    BOARD_OPERATORS: 'platform',
  }
  const own = environmentOf('board', variables)
  const server = fastify()
  const trusted = trustedProxy(own)!
  const token = tokenFor('0.0.0.0', own.WINNOW_BOARD_TOKEN || undefined, trusted)
  guard(server, { proxy: trusted, token, onChange: (change) => changes.push(change) })
  server.get('/', async () => 'the board')
  server.post('/api/change', async () => 'changed')
  board = await server.listen({ host: '127.0.0.1', port: 0 })
  stops.push(() => server.close())

  const given = environmentOf('oauth2-proxy', variables)
  const redirect = `${proxy}${new URL(given.OAUTH2_PROXY_REDIRECT_URL!).pathname}`
  const file = join(folder, 'dex.yaml')
  writeFileSync(
    file,
    stringify({
      issuer,
      storage: { type: 'memory' },
      web: { http: `127.0.0.1:${ports.dex}` },
      staticClients: [{ id: 'winnow', name: 'winnow', secret: variables.OIDC_CLIENT_SECRET, redirectURIs: [redirect] }],
      enablePasswordDB: true,
      staticPasswords: Object.entries(groups).map(([name, group]) => ({
        email: `${name}@example.org`,
        username: name,
        userID: `id-of-${name}`,
        hash,
        groups: [group],
      })),
    }),
  )
  start('dex', ['serve', file], {})
  await untilOk(`${issuer}/.well-known/openid-configuration`)
  // The addresses alone are this test's.
  start('oauth2-proxy', [], {
    ...given,
    OAUTH2_PROXY_HTTP_ADDRESS: `127.0.0.1:${ports.proxy}`,
    OAUTH2_PROXY_UPSTREAMS: board,
    OAUTH2_PROXY_REDIRECT_URL: redirect,
  })
  await untilOk(`${proxy}/ping`)
  return async () => {
    for (const stop of stops.reverse()) await stop()
  }
})

/** A browser's cookies, and its way through redirects. */
function visitor() {
  const cookies = new Map<string, string>()
  const ask = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(url, { ...init, redirect: 'manual', headers: { ...init.headers, cookie } })
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
      cookies.set(name!, value!)
    }
    const to = answer.headers.get('location')
    return to === null ? answer : await ask(new URL(to, url).href)
  }
  return ask
}

/** Opens the board, is sent to the provider, logs in there, grants what the proxy asks for and is sent back. */
async function logIn(name: string, password = 'password') {
  const ask = visitor()
  const form = await ask(`${proxy}/oauth2/start?rd=/`)
  const action = /<form[^>]*action="([^"]+)"/.exec(await form.text())![1]!.replaceAll('&amp;', '&')
  const body = new URLSearchParams({ login: `${name}@example.org`, password })
  const page = await ask(new URL(action, form.url).href, { method: 'POST', body })
  const asked = await page.clone().text()
  const req = /name="req" value="([^"]+)"/.exec(asked)?.[1]
  if (req === undefined) return { ask, page }
  const granted = new URLSearchParams({ req, approval: 'approve' })
  return { ask, page: await ask(page.url, { method: 'POST', body: granted }) }
}
const change = (ask: ReturnType<typeof visitor>, headers: Record<string, string> = {}) =>
  ask(`${proxy}/api/change`, { method: 'POST', headers: { origin: proxy, ...headers } })

test.skipIf(missing.length > 0)(
  `behind oauth2-proxy as the example for Docker Compose sets it, people log in at an OpenID provider and have the roles of their groups${because}`,
  async () => {
    const ada = await logIn('ada')
    expect([ada.page.status, await ada.page.text()]).toEqual([200, 'the board'])
    expect(await (await ada.ask(`${proxy}/api/visitor`)).json()).toEqual({
      user: 'ada@example.org',
      changesNothing: expect.stringContaining('WINNOW_BOARD_OPERATORS'),
    })
    expect((await change(ada.ask)).status).toBe(403)
    const claimed = { 'x-forwarded-groups': 'platform', 'x-forwarded-email': 'bob@example.org' }
    expect((await change(ada.ask, claimed)).status).toBe(403)

    const bob = await logIn('bob')
    expect((await change(bob.ask)).status).toBe(200)
    expect((await change(bob.ask, { origin: 'https://attacker.example' })).status).toBe(403)
    expect(changes).toEqual([{ user: 'bob@example.org', method: 'POST', url: '/api/change' }])

    const eve = await logIn('eve')
    expect(eve.page.status).toBe(403)
    expect(await eve.page.text()).toContain('WINNOW_BOARD_READERS')
  },
)

test.skipIf(missing.length > 0)(
  `who has not logged in, has a wrong password, or comes past the proxy, sees nothing of the board${because}`,
  async () => {
    const wrong = await logIn('bob', 'guessed')
    for (const ask of [visitor(), wrong.ask]) {
      const page = await ask(`${proxy}/`)
      expect(page.status).toBe(403)
      expect(await page.text()).not.toContain('the board')
      expect((await ask(`${proxy}/api/visitor`, { headers: { accept: 'application/json' } })).status).toBe(401)
    }
    const said = { 'x-forwarded-groups': 'platform', 'x-forwarded-email': 'bob@example.org' }
    for (const headers of [{}, said, { ...said, cookie: 'winnow-board=' }] as Record<string, string>[])
      expect((await fetch(`${board}/`, { headers })).status).toBe(401)
  },
)
