import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import { packageFile } from '../runtime/package-file.ts'

const pageFolder = join(import.meta.dirname, 'page')

/** The libraries as shipped in their packages: files that browsers run unchanged. */
const vendor: Readonly<Record<string, readonly [name: string, file: string]>> = {
  'preact.mjs': ['preact', 'dist/preact.mjs'],
  'hooks.mjs': ['preact', 'hooks/dist/hooks.mjs'],
  'htm.mjs': ['htm', 'dist/htm.mjs'],
  'dagre.mjs': ['@dagrejs/dagre', 'dist/dagre.esm.js'],
  'd3.js': ['d3', 'dist/d3.min.js'],
  'plot.js': ['@observablehq/plot', 'dist/plot.umd.min.js'],
}

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}

/** Loaded with the first plot: compressing them takes seconds, and starts when the page is requested. */
const loadedLater = ['/vendor/d3.js', '/vendor/plot.js']

/** Off the event loop, so that other requests do not wait; each encoding once, on first use. */
const compress = {
  br: (plain: Buffer) => promisify(brotliCompress)(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
  gzip: (plain: Buffer) => promisify(gzip)(plain, { level: 9 }),
}
type Encoding = keyof typeof compress

class Asset {
  readonly plain: Buffer
  readonly tag: string
  readonly #packed: Partial<Record<Encoding, Promise<Buffer>>> = {}

  constructor(file: string) {
    this.plain = readFileSync(file)
    this.tag = `"${createHash('sha256').update(this.plain).digest('base64url').slice(0, 16)}"`
  }

  packed(encoding: Encoding): Promise<Buffer> {
    this.#packed[encoding] ??= compress[encoding](this.plain)
    return this.#packed[encoding]
  }
}

/** Serves the page's files. They are read on first use; there is no build step. */
export function serveAssets(server: FastifyInstance): void {
  const index = join(pageFolder, 'index.html')
  const files = new Map<string, string>([
    ...filesBelow(pageFolder).map((file): [string, string] => [`/page/${file}`, join(pageFolder, file)]),
    ...Object.entries(vendor).map(([name, of]): [string, string] => [`/vendor/${name}`, packageFile(...of)]),
    ['/', index],
    ['/favicon.ico', join(pageFolder, 'icon.svg')],
  ])
  const policy = contentPolicy(readFileSync(index, 'utf8'))
  server.addHook('onSend', async (_request, reply) => {
    void reply
      .header('content-security-policy', policy)
      .header('x-content-type-options', 'nosniff')
      .header('referrer-policy', 'no-referrer')
  })
  const assets = new Map<string, Asset>()
  const assetOf = (url: string): Asset => {
    const asset = assets.get(url) ?? new Asset(files.get(url)!)
    assets.set(url, asset)
    return asset
  }
  for (const [url, file] of files) {
    server.get(url, async (request, reply) => {
      const asset = assetOf(url)
      void reply
        .header('content-type', types[file.split('.').at(-1)!]!)
        .header('cache-control', 'no-cache')
        .header('etag', asset.tag)
        .header('vary', 'accept-encoding')
      if (request.headers['if-none-match'] === asset.tag) return reply.code(304).send()
      const accepted = String(request.headers['accept-encoding'] ?? '')
      const encoding = (['br', 'gzip'] as const).find((one) => accepted.includes(one))
      if (encoding === undefined) return reply.send(asset.plain)
      const packed = asset.packed(encoding)
      if (url === '/') void packed.then(() => Promise.all(loadedLater.map((later) => assetOf(later).packed(encoding))))
      return reply.header('content-encoding', encoding).send(await packed)
    })
  }
}

/** Nothing is loaded from elsewhere, and only the page's own scripts run; the import map is inlined in the page. */
function contentPolicy(page: string): string {
  const inline = /<script type="importmap">([\s\S]*?)<\/script>/.exec(page)?.[1] ?? ''
  const digest = createHash('sha256').update(inline).digest('base64')
  return [
    "default-src 'self'",
    `script-src 'self' 'sha256-${digest}'`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ')
}

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
