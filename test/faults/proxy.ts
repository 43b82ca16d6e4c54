import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** What happens to bytes on their way. `held` ones are on the network until the way is free again, or the connection ends. */
type Way = 'free' | 'held'

interface Pair {
  readonly client: Socket
  readonly server: Socket
}

export interface Target {
  readonly host: string
  readonly port: number
}

/** Stands between clients and one server, and does to their connections what networks do. */
export class FaultProxy {
  readonly port: number
  readonly #listener: Server
  readonly #target: () => Target
  readonly #pairs = new Set<Pair>()
  #refusing = false
  #toServer: Way = 'free'
  #toClient: Way = 'free'
  #delayMs = 0
  /** How many answers are still to be lost, each with its connection. */
  #answersLost = 0
  /** How many there were. */
  answersDropped = 0

  private constructor(listener: Server, target: () => Target) {
    this.#listener = listener
    this.#target = target
    this.port = (listener.address() as { port: number }).port
    listener.on('connection', (client: Socket) => this.#connected(client))
  }

  /** @param target the server, or its port on the loopback, asked for at each connection */
  static async open(target: () => number | Target): Promise<FaultProxy> {
    const listener = createServer({ pauseOnConnect: true })
    listener.listen(0, '127.0.0.1')
    await once(listener, 'listening')
    return new FaultProxy(listener, () => {
      const found = target()
      return typeof found === 'number' ? { host: '127.0.0.1', port: found } : found
    })
  }

  #connected(client: Socket): void {
    if (this.#refusing) return void client.resetAndDestroy()
    const server = connect(this.#target())
    const pair = { client, server }
    this.#pairs.add(pair)
    const end = () => {
      this.#pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) socket.on('close', end).on('error', end)
    void this.#carry(client, server, () => this.#toServer, end)
    void this.#carry(
      server,
      client,
      () => this.#toClient,
      end,
      () => this.#losesAnswer(end),
    )
  }

  #losesAnswer(end: () => void): boolean {
    if (this.#answersLost === 0) return false
    this.#answersLost--
    this.answersDropped++
    end()
    return true
  }

  async #carry(from: Socket, to: Socket, way: () => Way, end: () => void, lost = () => false): Promise<void> {
    try {
      for await (const bytes of from) {
        if (this.#delayMs > 0) await sleep(this.#delayMs)
        while (way() === 'held' && !to.destroyed) await sleep(10)
        if (lost()) return
        if (!to.write(bytes)) await once(to, 'drain')
      }
      to.end()
    } catch {
      end()
    }
  }

  /** Ends every connection, as a reset does. */
  reset(): void {
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
  }

  /** Nobody gets through until `heal`. */
  cut(): void {
    this.#refusing = true
    this.reset()
  }

  /** Bytes go one way only, or none, without anybody being told. */
  hold(ways: { toServer?: boolean; toClient?: boolean }): void {
    if (ways.toServer) this.#toServer = 'held'
    if (ways.toClient) this.#toClient = 'held'
  }

  slow(delayMs: number): void {
    this.#delayMs = delayMs
  }

  /** The server does what it is asked, and the next so many answers are lost with their connections. */
  loseAnswers(count: number): void {
    this.#answersLost = count
  }

  /** All ways are free again; what was held arrives, or is lost with its connection where `lost` says so. */
  heal({ lost = false } = {}): void {
    if (lost) this.reset()
    this.#refusing = false
    this.#toServer = 'free'
    this.#toClient = 'free'
    this.#delayMs = 0
    this.#answersLost = 0
  }

  async close(): Promise<void> {
    this.reset()
    this.#listener.close()
    await once(this.#listener, 'close')
  }
}
