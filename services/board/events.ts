import type { ServerResponse } from 'node:http'
import type { BoardPatch } from './shape.ts'

/** A page that does not read is dropped when this much waits for it: it reconnects and is sent everything. */
const waitingBytesMax = 8 * 1024 * 1024

/** The pages that listen: server-sent events, each a patch. */
export class EventHub {
  readonly #pages = new Set<ServerResponse>()

  get watched(): boolean {
    return this.#pages.size > 0
  }

  /** Takes over the response; the first event is `whole`. */
  add(response: ServerResponse, whole: BoardPatch): void {
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      connection: 'keep-alive',
      'x-content-type-options': 'nosniff',
    })
    // The browser reconnects this many milliseconds after losing us.
    response.write('retry: 1000\n')
    response.write(event('whole', whole))
    this.#pages.add(response)
    response.on('close', () => this.#pages.delete(response))
  }

  send(patch: BoardPatch): void {
    const text = event('change', patch)
    for (const page of this.#pages) {
      if (page.writableLength > waitingBytesMax) page.destroy()
      else page.write(text)
    }
  }

  /** A comment line, so that dead connections are noticed. */
  beat(): void {
    for (const page of this.#pages) page.write(': here\n\n')
  }

  close(): void {
    for (const page of this.#pages) page.end()
    this.#pages.clear()
  }
}

const event = (name: string, patch: BoardPatch): string => `event: ${name}\ndata: ${JSON.stringify(patch)}\n\n`
