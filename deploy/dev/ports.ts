import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'

/**
 * Loopback ports by name: those recorded in `file` if all are free, so that a restart keeps its addresses (unless `renew`), else free ones,
 * recorded there. All are held at once while choosing, so no two are the same.
 */
export async function choosePorts<Name extends string>(
  file: string,
  names: readonly Name[],
  options: { renew?: boolean } = {},
): Promise<Record<Name, number>> {
  const recorded = options.renew ? undefined : readPorts(file, names)
  const ports = (recorded && (await hold(names, recorded))) ?? (await hold(names, undefined))
  if (!ports) throw new Error('no free ports on 127.0.0.1')
  writeFileSync(file, JSON.stringify(ports))
  return ports
}

function readPorts<Name extends string>(file: string, names: readonly Name[]): Record<Name, number> | undefined {
  try {
    const ports = JSON.parse(readFileSync(file, 'utf8')) as Record<Name, number>
    return names.every((name) => Number.isInteger(ports[name]) && ports[name] > 0) ? ports : undefined
  } catch {
    return undefined
  }
}

/** Listens on all of them briefly (0: any free port); undefined if one is taken. */
async function hold<Name extends string>(
  names: readonly Name[],
  wanted: Record<Name, number> | undefined,
): Promise<Record<Name, number> | undefined> {
  const servers: Server[] = []
  try {
    const ports: Partial<Record<Name, number>> = {}
    for (const name of names) {
      const server = await listen(wanted?.[name] ?? 0)
      servers.push(server)
      ports[name] = (server.address() as { port: number }).port
    }
    return ports as Record<Name, number>
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

/** Whether something listens at an address, `host:port`. */
export function listens(address: string, timeoutMs: number): Promise<boolean> {
  const separator = address.lastIndexOf(':')
  return new Promise((resolve) => {
    const socket = connect({
      host: address.slice(0, separator),
      port: Number(address.slice(separator + 1)),
      timeout: timeoutMs,
    })
    const settle = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket
      .once('connect', () => settle(true))
      .once('error', () => settle(false))
      .once('timeout', () => settle(false))
  })
}
