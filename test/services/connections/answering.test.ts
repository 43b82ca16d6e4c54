import { createServer, type Server } from 'node:http'
import { createServer as createTcp } from 'node:net'
import { expect, test } from 'vitest'
import { assertAnswering, whatHangs } from '../../../services/connections/answering.ts'

const listening = async (server: Server | ReturnType<typeof createTcp>): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

test('each dependency that accepts connections but does not answer is named', { timeout: 20_000 }, async () => {
  const hanging = createTcp(() => {})
  const answers = createServer((_request, response) => response.end('[]'))
  const [hangs, well] = [await listening(hanging), await listening(answers)]
  const brokers = [`127.0.0.1:${hangs}`]
  const at = (port: number) => `http://127.0.0.1:${port}`
  try {
    const all = await whatHangs(
      { brokers, registryUrl: at(hangs), clickhouseUrl: `http://u:secret@127.0.0.1:${hangs}` },
      300,
    )
    expect(all.map(({ message }) => message)).toEqual([
      `Kafka at 127.0.0.1:${hangs} does not answer within 0.3 s`,
      `the schema registry at ${at(hangs)} does not answer within 0.3 s`,
      `ClickHouse at ${at(hangs)} does not answer within 0.3 s`,
    ])
    // Long enough for those that answer on a busy machine.
    const one = await whatHangs({ brokers, registryUrl: at(well), clickhouseUrl: at(well) }, 3_000)
    expect(one.map(({ code, message }) => [code, message])).toEqual([
      ['UNREACHABLE', `Kafka at 127.0.0.1:${hangs} does not answer within 3 s`],
    ])
  } finally {
    hanging.close()
    answers.close()
    answers.closeAllConnections()
  }
})

test('everything that is unreachable is named in one error', { timeout: 20_000 }, async () => {
  const nobody = 'http://127.0.0.1:9'
  await expect(
    assertAnswering({ brokers: ['127.0.0.1:9'], registryUrl: nobody, clickhouseUrl: nobody }),
  ).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringMatching(/registry.*does not answer.*; ClickHouse/),
  })
})
