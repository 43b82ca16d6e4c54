import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import fastify from 'fastify'
import { expect, test } from 'vitest'
import { serveAssets } from '../../../services/board/assets.ts'

const scriptBytesMax = 200 * 1024
const firstViewBytesMax = 60 * 1024

const page = readdirSync(join(import.meta.dirname, '../../../services/board/page'))
const lazy = ['/vendor/d3.js', '/vendor/plot.js']
const first = [
  ...['preact.mjs', 'hooks.mjs', 'htm.mjs', 'dagre.mjs'].map((file) => `/vendor/${file}`),
  ...page.filter((file) => file.endsWith('.js')).map((file) => `/page/${file}`),
]

async function compressedBytes(urls: readonly string[]): Promise<number> {
  const server = fastify()
  serveAssets(server)
  let bytes = 0
  for (const url of urls) {
    const answer = await server.inject({ url, headers: { 'accept-encoding': 'gzip, br' } })
    expect([url, answer.statusCode, answer.headers['content-encoding']]).toEqual([url, 200, 'br'])
    bytes += answer.rawPayload.length
  }
  return bytes
}

test('all script of the board is 200 KB compressed at most, that of the first view 60 KB', async () => {
  expect(await compressedBytes(first)).toBeLessThan(firstViewBytesMax)
  expect(await compressedBytes([...first, ...lazy])).toBeLessThan(scriptBytesMax)
})

test('nothing of the page comes from elsewhere, and no script runs that the board does not serve', async () => {
  const server = fastify()
  serveAssets(server)
  for (const url of ['/', ...page.map((file) => `/page/${file}`)]) {
    const answer = await server.inject({ url })
    expect(answer.body.match(/(src|href|from|import)\s*[=(]?\s*['"](https?:)?\/\//g), url).toBeNull()
    expect(answer.headers['content-security-policy']).toMatch(/default-src 'self'; script-src 'self' 'sha256-[^ ]+';/)
  }
})

test('a page that has a file already is told so', async () => {
  const server = fastify()
  serveAssets(server)
  const { headers } = await server.inject({ url: '/page/app.js' })
  const again = await server.inject({ url: '/page/app.js', headers: { 'if-none-match': String(headers.etag) } })
  expect([again.statusCode, again.body]).toEqual([304, ''])
})
