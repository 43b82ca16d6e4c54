import { once } from 'node:events'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import '../../../../services/runtime/kafka/quiet-queue.ts'
import '../../../../services/runtime/kafka/whole-answers.ts'

interface Connection {
  connect(): Promise<boolean>
  disconnect(): Promise<boolean>
  send(exchange: object): Promise<string>
}
const require = createRequire(import.meta.url)
const KafkajsConnection: new (options: object) => Connection = require('kafkajs/src/network/connection.js')
const Encoder: new () => unknown = require('kafkajs/src/protocol/encoder.js')
const socketFactory: object = require('kafkajs/src/network/socketFactory.js')()

let server: Server | undefined
const connections: Connection[] = []
afterEach(async () => {
  for (const connection of connections.splice(0)) await connection.disconnect()
  server?.close()
})

/** A connection to a server that does `answers[n]` with the requests of its nth socket, and the last of them with those after. */
async function connectionTo(...answers: ((socket: Socket, answer: Buffer) => void)[]) {
  const sockets: Socket[] = []
  server = createServer((socket) => {
    const answer = answers[Math.min(sockets.push(socket), answers.length) - 1]!
    socket.on('error', () => {})
    socket.on('data', (request) => answer(socket, answerTo(request)))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const nothing = () => {}
  const logger = { info: nothing, error: nothing, warn: nothing, debug: nothing }
  const connection = new KafkajsConnection({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    logger: { namespace: () => logger },
    socketFactory,
    requestTimeout: 3000,
    connectionTimeout: 1000,
  })
  connections.push(connection)
  return { connection, sockets }
}

/** Size, correlation id and the text "understood". */
function answerTo(request: Buffer): Buffer {
  const correlationId = request.subarray(8, 12)
  const text = Buffer.from('understood')
  const size = Buffer.alloc(4)
  size.writeInt32BE(correlationId.length + text.length)
  return Buffer.concat([size, correlationId, text])
}

const exchange = {
  request: { apiKey: 3, apiVersion: 0, apiName: 'Test', encode: async () => new Encoder() },
  response: { decode: async (payload: Buffer) => payload, parse: async (payload: Buffer) => payload.toString() },
}

const whole = (socket: Socket, answer: Buffer) => void socket.write(answer)

test.for([1, 3, 4, 5, 8, 17])(
  'a response cut off after %d bytes by a lost connection does not disturb the next connection',
  async (bytes) => {
    const { connection, sockets } = await connectionTo((socket, answer) => {
      socket.write(answer.subarray(0, bytes), () => setTimeout(() => socket.resetAndDestroy(), 20))
    }, whole)
    await connection.connect()
    await expect(connection.send(exchange)).rejects.toThrow()
    await connection.connect()
    expect(await connection.send(exchange)).toBe('understood')
    expect(sockets).toHaveLength(2)
  },
)

test('concurrent requests for a connection share one', async () => {
  const { connection, sockets } = await connectionTo(whole)
  await Promise.all([connection.connect(), connection.connect(), connection.connect()])
  expect(await connection.send(exchange)).toBe('understood')
  expect(sockets).toHaveLength(1)
})
