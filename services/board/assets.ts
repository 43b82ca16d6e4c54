import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import type { FastifyInstance } from 'fastify'

const resolve = createRequire(import.meta.url).resolve
const pageFolder = join(import.meta.dirname, 'page')

/** The libraries as their packages bring them: modules that browsers run as they are. */
const vendor: Readonly<Record<string, string>> = {
  'preact.mjs': moduleOf('preact', 'dist/preact.mjs'),
  'hooks.mjs': moduleOf('preact', 'hooks/dist/hooks.mjs'),
  'htm.mjs': moduleOf('htm', 'dist/htm.mjs'),
}

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}

function moduleOf(name: string, file: string): string {
  const manifest = resolve(`${name}/package.json`)
  return join(manifest, '..', file)
}

/** Serves the page's files. They are read and compressed once; there is no build step. */
export function serveAssets(server: FastifyInstance): void {
  const files = new Map<string, string>([
    ...filesBelow(pageFolder).map((file): [string, string] => [`/page/${file}`, join(pageFolder, file)]),
    ...Object.entries(vendor).map(([name, file]): [string, string] => [`/vendor/${name}`, file]),
    ['/', join(pageFolder, 'index.html')],
    ['/favicon.ico', join(pageFolder, 'icon.svg')],
  ])
  for (const [url, file] of files) {
    const plain = readFileSync(file)
    const packed = brotliCompressSync(plain)
    const type = types[file.split('.').at(-1)!]!
    server.get(url, (request, reply) => {
      const takes = String(request.headers['accept-encoding'] ?? '').includes('br')
      void reply.header('content-type', type).header('cache-control', 'no-cache').header('vary', 'accept-encoding')
      if (takes) void reply.header('content-encoding', 'br')
      return reply.send(takes ? packed : plain)
    })
  }
}

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
