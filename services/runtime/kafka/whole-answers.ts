import { createRequire } from 'node:module'
import type { Socket } from 'node:net'

interface Connection {
  /** What came of an answer that is not whole yet. */
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
 * Mends kafkajs 2.2.4, whose connection, opened again, goes on with what it was left of the socket before: half an answer in front of
 * the next one, so that no answer is understood any more, or an ERR_BUFFER_OUT_OF_BOUNDS that ends the process (kafkajs issue 715). An
 * opened connection begins with nothing, the socket before it can bring no more, and everybody who asks for it waits for the same one.
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
