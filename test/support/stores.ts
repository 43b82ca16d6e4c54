import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { findPython, prepareStoresPython } from '../python/environment.ts'

/** Servers of object stores for tests: moto for S3, gcp-storage-emulator for Google's, and web servers of this file, whose connections break when they are told to. */

/** A Python with both, or why there is none. */
export function storesPython(env: NodeJS.ProcessEnv): { python: string } | { missing: string } {
  if (env.WINNOW_TEST_PYTHON === 'no') return { missing: 'WINNOW_TEST_PYTHON=no' }
  const interpreter = findPython(env)
  if (interpreter === undefined) return { missing: 'no Python from 3.11 on' }
  try {
    return { python: prepareStoresPython(interpreter, env, () => {}) }
  } catch (error) {
    if (env.WINNOW_TEST_PYTHON === 'required') throw error
    return { missing: (error as Error).message.split('\n')[0]! }
  }
}

/** Why a library that is optional is not there; undefined: it is. */
export function lacks(name: string): string | undefined {
  try {
    import.meta.resolve(name)
    return undefined
  } catch {
    return `${name} is not installed: npm ci`
  }
}

export interface Stoppable {
  readonly port: number
  stop(): Promise<void>
}

const s3Program = `
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
`

const googleProgram = `
import sys
from gcp_storage_emulator.server import create_server
server = create_server('127.0.0.1', 0, in_memory=True, default_bucket='corpus')
server.start()
print(server._api._httpd.server_port, flush=True)
sys.stdin.read()
server.stop()
`

/** An empty S3 on a free port; it ends with this process. */
export const startMoto = (python: string): Promise<Stoppable> => startServer(python, s3Program)

/** Google's store with the bucket `corpus`, likewise. */
export const startGoogleStorage = (python: string): Promise<Stoppable> => startServer(python, googleProgram)

async function startServer(python: string, program: string): Promise<Stoppable> {
  const server = spawn(python, ['-c', program], { stdio: ['pipe', 'pipe', 'ignore'] })
  const [port] = (await once(createInterface({ input: server.stdout }), 'line')) as [string]
  const stop = async () => {
    server.stdin.end()
    await once(server, 'exit')
  }
  return { port: Number(port), stop }
}

/** Carries connections to a server, and cuts as many of their answers as it is told, each after so many bytes. */
export async function startCutter(
  target: number,
): Promise<Stoppable & { cut(times: number, afterBytes: number): void; cuts: number }> {
  let [left, after] = [0, 0]
  const listener = createServer((client) => {
    const server = connect(target, '127.0.0.1')
    client.on('error', () => server.destroy()).on('close', () => server.destroy())
    server.on('error', () => client.destroy()).on('close', () => client.destroy())
    client.pipe(server)
    let sent = 0
    server.on('data', (bytes) => {
      if (left > 0 && sent + bytes.length > after) {
        left--
        cutter.cuts++
        client.write(bytes.subarray(0, after - sent), () => client.resetAndDestroy())
        server.destroy()
        return
      }
      sent += bytes.length
      if (!client.write(bytes)) {
        server.pause()
        client.once('drain', () => server.resume())
      }
    })
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const cutter = {
    port: (listener.address() as AddressInfo).port,
    cuts: 0,
    cut: (times: number, afterBytes: number) => {
      left = times
      after = afterBytes
    },
    stop: async () => void listener.close(),
  }
  return cutter
}

export interface WebFile {
  bytes: Buffer
  etag?: string
}

export interface WebServer extends Stoppable {
  readonly url: string
  readonly files: Map<string, WebFile>
  readonly requests: IncomingMessage[]
  /** Asked before the files; true: it has answered. */
  answer: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Each of the next answers ends after so many bytes. */
  readonly cuts: number[]
  /** It takes conditions and ranges as it should. */
  plain: boolean
}

/** A web server of files in memory, with ranges and conditions (RFC 9110). */
export async function startWeb(): Promise<WebServer> {
  const listener = createHttpServer((request, response) => {
    web.requests.push(request)
    if (web.answer(request, response)) return
    const file = web.files.get(decodeURIComponent(new URL(request.url!, 'http://x').pathname))
    if (file === undefined) return void response.writeHead(404).end()
    const { bytes, etag } = file
    const tag: Record<string, string> = etag === undefined ? {} : { etag }
    if (web.plain) return void response.writeHead(200, tag).end(bytes)
    const wanted = request.headers['if-match']
    if (wanted !== undefined && wanted !== etag) return void response.writeHead(412).end()
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
    const start = Number(from)
    const end = to === '' ? bytes.length : Math.min(Number(to) + 1, bytes.length)
    if (start >= bytes.length) return void response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end()
    const range = { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}`, 'content-length': end - start }
    response.writeHead(206, { ...range, ...tag })
    const cut = end - start > 1 ? web.cuts.shift() : undefined
    if (cut === undefined) response.end(bytes.subarray(start, end))
    else response.write(bytes.subarray(start, start + cut), () => setImmediate(() => response.destroy()))
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const web: WebServer = {
    port,
    url: `http://127.0.0.1:${port}`,
    files: new Map(),
    requests: [],
    answer: () => false,
    cuts: [],
    plain: false,
    stop: async () => {
      listener.closeAllConnections()
      listener.close()
    },
  }
  return web
}

/** Bytes in which every part can be told from the others. */
export const bytesOf = (length: number): Buffer =>
  Buffer.from(Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 17) % 253))

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
