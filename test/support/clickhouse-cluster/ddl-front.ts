import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * An address for a cluster of servers that run no distributed DDL and have no Keeper, as clickhouse-local: statements ON CLUSTER go to every
 * server without that clause, and without `Replicated` in the engine; SYSTEM SYNC REPLICA has nothing to wait for. All others go to the
 * servers in turn, so that each has to answer for the whole cluster.
 */
export async function startDdlFront(servers: readonly string[]): Promise<{ url: string; close(): Promise<void> }> {
  let next = 0
  const front = createServer((request, response) => {
    void answer(request).then(
      async ({ status, body }) => response.writeHead(status).end(body),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })

  const answer = async (request: IncomingMessage): Promise<{ status: number; body: Buffer }> => {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const sent = Buffer.concat(chunks)
    const statement = sent.toString('latin1')
    const everywhere = / ON CLUSTER `[^`]+`/.test(statement)
    if (statement.startsWith('SYSTEM SYNC REPLICA')) return { status: 200, body: Buffer.alloc(0) }
    const body = everywhere
      ? Buffer.from(statement.replace(/ ON CLUSTER `[^`]+`/g, '').replace(/ENGINE = Replicated/, 'ENGINE = '), 'latin1')
      : sent
    const asked = everywhere ? servers : [servers[next++ % servers.length]!]
    const answers = []
    for (const server of asked) {
      const { 'content-type': type } = request.headers
      const answered = await fetch(`${server}${request.url}`, {
        method: request.method ?? 'POST',
        headers: type === undefined ? {} : { 'content-type': type },
        ...(request.method === 'POST' && { body: new Uint8Array(body) }),
      })
      answers.push({ status: answered.status, body: Buffer.from(await answered.arrayBuffer()) })
    }
    return answers.find(({ status }) => status !== 200) ?? answers.at(-1)!
  }

  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(front.address() as AddressInfo).port}`,
    close: async () => {
      front.closeAllConnections()
      await new Promise((resolve) => front.close(resolve))
    },
  }
}
