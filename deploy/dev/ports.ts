import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'

/** The loopback ports of one data folder. */
export interface Ports {
  broker: number
  controller: number
  registry: number
  registryManagement: number
  clickhouse: number
}

const names = ['broker', 'controller', 'registry', 'registryManagement', 'clickhouse'] as const

/**
 * The ports recorded in `file` where they are all free, so that a restart keeps its addresses; else free ones, recorded there.
 * All are held at once while choosing, so no two are the same.
 */
export async function choosePorts(file: string, options: { renew?: boolean } = {}): Promise<Ports> {
  const recorded = options.renew ? undefined : readPorts(file)
  const ports = (recorded && (await tryHold(recorded))) ?? (await tryHold(undefined))
  if (!ports) throw new Error('no free ports on 127.0.0.1')
  writeFileSync(file, JSON.stringify(ports))
  return ports
}

function readPorts(file: string): Ports | undefined {
  try {
    const ports = JSON.parse(readFileSync(file, 'utf8')) as Ports
    return names.every((name) => Number.isInteger(ports[name]) && ports[name] > 0) ? ports : undefined
  } catch {
    return undefined
  }
}

async function tryHold(wanted: Ports | undefined): Promise<Ports | undefined> {
  const servers: Server[] = []
  try {
    const ports: Partial<Ports> = {}
    for (const name of names) {
      const server = await listen(wanted?.[name] ?? 0)
      servers.push(server)
      ports[name] = (server.address() as { port: number }).port
    }
    return ports as Ports
  } catch {
    return undefined
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
