import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fastify from 'fastify'
import { expect, test } from 'vitest'
import { serveAssets } from '../../../services/board/assets.ts'

/** Of which the libraries of plots, loaded with the first plot, are three quarters. */
const scriptBytesMax = 208 * 1024
const firstViewBytesMax = 60 * 1024

const pageFolder = join(import.meta.dirname, '../../../services/board/page')
const page = readdirSync(pageFolder)
const scripts = page.filter((file) => file.endsWith('.js'))
const vendor = ['preact.mjs', 'hooks.mjs', 'htm.mjs', 'dagre.mjs'].map((file) => `/vendor/${file}`)
const lazy = ['/vendor/d3.js', '/vendor/plot.js']

/** A module with all that it imports; what it loads later is not among it. */
function withImports(file: string, known = new Set<string>()): Set<string> {
  if (known.has(file)) return known
  known.add(file)
  const text = readFileSync(join(pageFolder, file), 'utf8')
  for (const [, imported] of text.matchAll(/^(?:import|} from|export .* from) .*?'\.\/([^']+)'/gm))
    withImports(imported!, known)
  return known
}
const first = [...withImports('dataflow.js', withImports('app.js'))]

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

test('the board’s script is at most 208 KB compressed, that of the first view at most 60 KB', async () => {
  expect(first).toEqual(expect.arrayContaining(['html.js', 'station-panel.js', 'flow-layout.js']))
  expect(first).not.toContain('runs.js')
  const urls = (files: readonly string[]) => files.map((file) => `/page/${file}`)
  expect(await compressedBytes([...vendor, ...urls(first)])).toBeLessThan(firstViewBytesMax)
  expect(await compressedBytes([...vendor, ...lazy, ...urls(scripts)])).toBeLessThan(scriptBytesMax)
})

test('the page preloads all modules of the first view', () => {
  const index = readFileSync(join(pageFolder, 'index.html'), 'utf8')
  const preloaded = [...index.matchAll(/rel="modulepreload" href="([^"]+)"/g)].map(([, url]) => url)
  expect(preloaded.sort()).toEqual([...vendor, ...first.map((file) => `/page/${file}`)].sort())
})

test('the page loads nothing from elsewhere and runs no script that the board does not serve', async () => {
  const server = fastify()
  serveAssets(server)
  for (const url of ['/', ...page.map((file) => `/page/${file}`)]) {
    const answer = await server.inject({ url })
    expect(answer.body.match(/(src|href|from|import)\s*[=(]?\s*['"](https?:)?\/\//g), url).toBeNull()
    expect(answer.headers['content-security-policy']).toMatch(/default-src 'self'; script-src 'self' 'sha256-[^ ]+';/)
  }
})

test('a file that the browser already has is answered with 304', async () => {
  const server = fastify()
  serveAssets(server)
  const { headers } = await server.inject({ url: '/page/app.js' })
  const again = await server.inject({ url: '/page/app.js', headers: { 'if-none-match': String(headers.etag) } })
  expect([again.statusCode, again.body]).toEqual([304, ''])
})
