import type { FastifyInstance } from 'fastify'

/** What orchestrators ask. Answered without the token and under any name: they tell nothing about what the board shows. */
export const probePaths: ReadonlySet<string> = new Set(['/livez', '/readyz'])

/** `/livez`: 200 as long as the board answers at all. `/readyz`: 200 once it has read what is in the topics, until then 503. */
export function serveProbes(server: FastifyInstance, hasRead: () => boolean): void {
  server.get('/livez', async () => 'ok\n')
  server.get('/readyz', async (_request, reply) =>
    hasRead() ? 'ok\n' : await reply.code(503).send('the board is reading the topics\n'),
  )
}
