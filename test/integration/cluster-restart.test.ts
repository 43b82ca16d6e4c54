import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Kafka, logLevel } from 'kafkajs'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cluster, type Endpoints, startCluster } from '../../deploy/dev/cluster.ts'
import { isAlive, type ProcessIdentity, processStart } from '../../deploy/dev/process-identity.ts'
import { createClickHouse } from '../../services/runtime/clickhouse/client.ts'

const log = pino({ level: 'silent' })
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'winnow-restart-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const schema = (name: string) =>
  JSON.stringify({ schema: JSON.stringify({ type: 'record', name, fields: [{ name: 'id', type: 'long' }] }) })

async function register(registryUrl: string, subject: string): Promise<number> {
  const answer = await fetch(`${registryUrl}/subjects/${subject}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: schema(subject),
  })
  return ((await answer.json()) as { id: number }).id
}

type Addresses = Pick<Endpoints, 'brokers' | 'registryUrl' | 'clickhouseUrl'>

/** Writes one message, one schema and one row, each named or valued after `n`; acknowledged by the broker with all its replicas. */
async function write({ brokers, registryUrl, clickhouseUrl }: Addresses, n: number): Promise<number> {
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING })
  const [admin, producer] = [kafka.admin(), kafka.producer()]
  const clickHouse = await createClickHouse({ url: clickhouseUrl })
  await Promise.all([admin.connect(), producer.connect()])
  try {
    await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 1 }], waitForLeaders: true })
    await producer.send({ topic: 'kept', acks: -1, messages: [{ value: String(n) }] })
    await clickHouse.sql.command('CREATE TABLE IF NOT EXISTS kept (n UInt64) ENGINE = MergeTree ORDER BY n')
    await clickHouse.sql.insert('kept', [{ n }])
    return await register(registryUrl, `subject${n}`)
  } finally {
    await Promise.all([admin.disconnect(), producer.disconnect(), clickHouse.close()])
  }
}

/** The messages and the rows. */
async function read(
  { brokers, clickhouseUrl }: Addresses,
  messages: number,
): Promise<{ topic: string[]; table: string[] }> {
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: crypto.randomUUID(), maxWaitTimeInMs: 100 })
  const clickHouse = await createClickHouse({ url: clickhouseUrl })
  await consumer.connect()
  try {
    await consumer.subscribe({ topic: 'kept', fromBeginning: true })
    const topic: string[] = []
    await new Promise<void>((resolve, reject) => {
      const eachMessage = async ({ message }: { message: { value: Buffer | null } }) => {
        topic.push(String(message.value))
        if (topic.length === messages) resolve()
      }
      consumer.run({ eachMessage }).catch(reject)
    })
    const rows = await clickHouse.sql.query<{ n: string }>('SELECT n FROM kept ORDER BY n')
    return { topic, table: rows.map(({ n }) => n) }
  } finally {
    await Promise.all([consumer.disconnect(), clickHouse.close()])
  }
}

test('topics, schema ids and tables survive a restart, and a kill of every process', async () => {
  const first = await startCluster({ dataFolder: folder, log })
  const id1 = await write(first, 1).finally(() => first.stop())
  for (const pid of first.pids) expect(processStart(pid)).toBeUndefined()

  const second = await startInAnotherProcess()
  expect(second.brokers).toEqual(first.brokers)
  expect(await read(second, 1)).toEqual({ topic: ['1'], table: ['1'] })
  expect(await register(second.registryUrl, 'subject1')).toBe(id1)
  const id2 = await write(second, 2)
  expect(id2).not.toBe(id1)
  await second.killEverything()

  const third = await startCluster({ dataFolder: folder, log })
  try {
    expect(await read(third, 2)).toEqual({ topic: ['1', '2'], table: ['1', '2'] })
    expect(await register(third.registryUrl, 'subject1')).toBe(id1)
    expect(await register(third.registryUrl, 'subject2')).toBe(id2)
    // A subject's incompatible second version is still refused.
    const answer = await fetch(`${third.registryUrl}/config`)
    expect(await answer.json()).toEqual({ compatibilityLevel: 'BACKWARD_TRANSITIVE' })
  } finally {
    await third.stop()
  }
})

test('when only the parent process is killed, the others exit by themselves and the next start works', async () => {
  const cluster = await startInAnotherProcess()
  await write(cluster, 3)
  await cluster.killParent()
  for (const identity of cluster.identities) await expect.poll(() => isAlive(identity), { timeout: 15_000 }).toBe(false)
  const next = await startCluster({ dataFolder: folder, log })
  try {
    expect((await read(next, 3)).topic).toEqual(['1', '2', '3'])
  } finally {
    await next.stop()
  }
})

interface Remote extends Addresses {
  identities: ProcessIdentity[]
  killParent(): Promise<void>
  killEverything(): Promise<void>
}

async function startInAnotherProcess(): Promise<Remote> {
  const module = (path: string) => JSON.stringify(fileURLToPath(new URL(`../../${path}`, import.meta.url)))
  const script = `import { startCluster } from ${module('deploy/dev/cluster.ts')}
    import { createLog } from ${module('services/runtime/log.ts')}
    const { brokers, registryUrl, clickhouseUrl, pids } = await startCluster({ dataFolder: ${JSON.stringify(folder)}, log: createLog('other', 'warn') })
    console.log(JSON.stringify({ brokers, registryUrl, clickhouseUrl, pids }))`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = once(parent, 'exit')
  const [line] = (await Promise.race([once(createInterface(parent.stdout), 'line'), exit])) as [string]
  const started = JSON.parse(line) as Addresses & Pick<Cluster, 'pids'>
  return {
    ...started,
    identities: started.pids.map((pid) => ({ pid, started: processStart(pid)! })),
    killParent: async () => {
      parent.kill('SIGKILL')
      await exit
    },
    killEverything: async () => {
      for (const pid of [parent.pid!, ...started.pids]) process.kill(pid, 'SIGKILL')
      await exit
    },
  }
}
