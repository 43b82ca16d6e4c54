import { createRequire } from 'node:module'
import type { Socket } from 'node:net'

interface Connection {
  /** The part received of an incomplete response. */
  chunks: Buffer[]
  bytesBuffered: number
  bytesNeeded: number
  readonly socket?: Socket
  isConnected(): boolean
  connect(): Promise<boolean>
}

const { prototype }: { prototype: Connection } = createRequire(import.meta.url)('kafkajs/src/network/connection.js')
const connect = prototype.connect
const sizeBytes = 4
const connecting = new WeakMap<Connection, Promise<boolean>>()

/**
 * Fixes kafkajs 2.2.4, whose reopened connection keeps the leftovers of its previous socket: half a response in front of the next one, so that
 * no response can be parsed any more, or an ERR_BUFFER_OUT_OF_BOUNDS that ends the process (kafkajs issue 715). Here a new connection starts
 * empty, the old socket can deliver nothing more, and all callers who connect wait for the same connection.
 */
prototype.connect = function (this: Connection) {
  if (this.isConnected()) return Promise.resolve(true)
  const opened = connecting.get(this) ?? open(this).finally(() => connecting.delete(this))
  connecting.set(this, opened)
  return opened
}

function open(connection: Connection): Promise<boolean> {
  connection.socket?.destroy()
  connection.chunks = []
  connection.bytesBuffered = 0
  connection.bytesNeeded = sizeBytes
  return connect.call(connection)
}
