// Loaded before a program (`node --import`): its connections to servers go by way of the soak's proxies. TLS still sees the server's own name.
import { Socket } from 'node:net'

/** Ports of proxies on this machine, by `host:port` of a server. */
const proxies = JSON.parse(process.env.WINNOW_SOAK_PROXIES ?? '{}') as Record<string, number>

type Connect = (this: Socket, ...args: unknown[]) => Socket
const connect = Socket.prototype.connect as unknown as Connect

const redirected = (options: unknown): unknown => {
  const { host, port } = (options ?? {}) as { host?: string; port?: number | string }
  const proxy = proxies[`${host ?? 'localhost'}:${port}`]
  return proxy === undefined ? options : { ...(options as object), host: '127.0.0.1', port: proxy }
}

// `net.connect` hands over its arguments as one list that it has put in order, and marked by a symbol.
Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
  const [first] = args
  if (Array.isArray(first)) first[0] = redirected(first[0])
  else if (typeof first === 'object') args[0] = redirected(first)
  return connect.apply(this, args)
} as typeof Socket.prototype.connect
