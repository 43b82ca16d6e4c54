import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

/** What a client asks of Docker's API to create a container, of which the tests look at this. */
export interface Created {
  readonly Image: string
  readonly Env: string[]
  readonly User?: string
  readonly HostConfig: { readonly PortBindings: Record<string, { HostPort: string }[]> }
}

/** As much of a container engine as starting and stopping a container takes. Its containers' free ports lead to itself. */
export interface FakeEngine {
  /** For DOCKER_HOST. */
  readonly address: string
  readonly port: number
  readonly created: Created[]
  /** Images of the containers that run. */
  readonly running: () => string[]
  close(): Promise<void>
}

/** Docker's framing of a line of standard output: kind, three zeros, length. */
function frame(line: string): Buffer {
  const head = Buffer.alloc(8)
  head[0] = 1
  head.writeUInt32BE(Buffer.byteLength(line), 4)
  return Buffer.concat([head, Buffer.from(line)])
}

/**
 * @param lines what each container says when it starts
 * @param hasImages whether it has every image, or none and can pull none
 */
export async function startFakeEngine(lines: readonly string[], hasImages = true): Promise<FakeEngine> {
  const created: Created[] = []
  const running = new Set<number>()
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const send = (status: number, body?: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(body && JSON.stringify(body))
    const path = new URL(request.url!, 'http://engine').pathname
    const [, kind, name, action] = /^\/(\w+)(?:\/(.+?))?(?:\/(\w+))?$/.exec(path) ?? []
    if (kind === 'info') return void send(200, { OperatingSystem: 'fake', OSType: 'linux' })
    if (kind === 'images') {
      if (hasImages) return void send(200, {})
      return void send(request.method === 'GET' ? 404 : 500, { message: 'No such image, and nothing can be pulled' })
    }
    if (kind === 'ping') return void send(200)
    // Such as a registry that does not take its configuration.
    if (kind !== 'containers') return void send(503)
    if (name === 'json') return void send(200, [])
    if (name === 'create') {
      created.push((await json(request)) as Created)
      return void send(201, { Id: `${created.length - 1}` })
    }
    const id = Number(name)
    const { HostConfig } = created[id]!
    if (action === 'start') running.add(id)
    if (action === 'stop' || request.method === 'DELETE') running.delete(id)
    if (action === 'logs') return void response.writeHead(200).write(frame(`${lines.join('\n')}\n`))
    if (action !== 'json') return void send(204)
    const ports = Object.entries(HostConfig.PortBindings).map(([inside, [binding]]) => [
      inside,
      [{ HostIp: '127.0.0.1', HostPort: binding!.HostPort === '0' ? `${port}` : binding!.HostPort }],
    ])
    const state = { Running: true, Status: 'running', StartedAt: '2026-01-01T00:00:00Z', FinishedAt: '' }
    const { Image } = created[id]!
    send(200, {
      Id: name,
      Name: `/${name}`,
      State: state,
      Config: { Image, Hostname: name, Labels: {} },
      HostConfig: { ...HostConfig },
      NetworkSettings: { Ports: Object.fromEntries(ports), Networks: {} },
    })
  }

  return {
    address: `tcp://127.0.0.1:${port}`,
    port,
    created,
    running: () => [...running].map((id) => created[id]!.Image),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
