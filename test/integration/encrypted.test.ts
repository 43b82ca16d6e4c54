import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject, onTestFinished, test } from 'vitest'
import { stringify } from 'yaml'
import { asDocumentId } from '../../schemas/index.ts'
import { openRuntime } from '../../services/connections/connections.ts'
import { readable } from '../../services/corpus/readable.ts'
import { receiptOf } from '../../services/runs/exclusions/erase.ts'
import { createLog } from '../../services/runtime/log.ts'
import { isSealed } from '../../services/texts/envelope.ts'
import { runDocumented } from '../support/documented.ts'
import { blocksFor } from '../support/documents.ts'
import { connect, until } from '../support/kafka.ts'
import { type Running, shellIn, signalGroup } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'

test('the commands that documents give for encrypted texts work as they stand, and one text is read by nobody after them', async () => {
  const folder = temporaryFolder('encrypted')
  const kafka = connect()
  // Its names of topics are those of every corpus, and other tests may have left theirs.
  const ours = async () => (await kafka.topicNames()).filter((topic) => topic.startsWith('winnow.'))
  const clear = async () => {
    await kafka.deleteTopics(await ours())
    await until(async () => (await ours()).length === 0)
  }
  await clear()
  onTestFinished(clear)

  const cwd = join(folder, 'work')
  mkdirSync(join(cwd, 'corpus'), { recursive: true })
  const textOf = (n: number) => `somebody wrote ${n}`
  const rows = Array.from({ length: 20 }, (_, n) => `${JSON.stringify({ text: textOf(n) })}\n`)
  writeFileSync(join(cwd, 'corpus', 'a.jsonl'), rows.join(''))
  const [erased, kept] = [3n, 4n].map(asDocumentId) as [
    ReturnType<typeof asDocumentId>,
    ReturnType<typeof asDocumentId>,
  ]
  writeFileSync(join(cwd, 'ids.txt'), `${erased}\n`)
  const address = new URL(inject('clickhouseUrl'))
  const database = `encrypted_${randomUUID().slice(0, 8)}`
  const clickhouse = {
    ...{ url: `${address.protocol}//${address.host}`, username: address.username || 'default', database },
  }
  writeFileSync(
    join(cwd, 'winnow.yaml'),
    stringify({
      kafka: { brokers: inject('brokers') },
      registry: { url: inject('registryUrl') },
      clickhouse,
      actors: { quality: { labeler: { kind: 'hashed', model: 'shipped:quality' } } },
    }),
  )

  const shell = shellIn(folder, { WINNOW_CLICKHOUSE_PASSWORD: decodeURIComponent(address.password) })
  const running: Running[] = []
  onTestFinished(() => {
    for (const one of running) signalGroup(one, 'SIGKILL')
  })
  const start = (commands: string): Running => {
    const one = shell(commands, cwd)
    running.push(one)
    return one
  }
  let up: Running | undefined
  const says = new Map<string, string>()
  const blocks = blocksFor('integration/encrypted')
  expect(blocks).toHaveLength(1)
  await runDocumented(blocks, {
    ...{ shell, cwd, given: () => [], started: (one) => running.push(one) },
    said: (command, text) => says.set(command, text),
    treatments: [
      {
        of: 'npx winnow ingest',
        before: async () => {
          up = start('exec npx winnow up')
          await until(() => up!.said.text.includes('everything runs') || up!.child.exitCode !== null, 120_000)
        },
      },
    ],
  })
  expect(says.get('npx winnow keys rotate')).toContain('epoch 2 has wrapped 19 keys')
  expect(says.get('npx winnow keys drop')).toContain('epoch 1 is gone from')

  const addresses = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
  const runtime = await openRuntime(
    { ...addresses, clickhouseUrl: inject('clickhouseUrl'), database },
    createLog('test', 'error'),
    { encryption: join(cwd, 'master-keys.json') },
  )
  onTestFinished(() => runtime.close())
  const stored = await runtime.store.texts([erased, kept])
  expect([...stored.values()].map(isSealed)).toEqual([true, true])
  expect((await receiptOf(runtime, 'request-17')).texts).toEqual({
    ...{ encrypted: 1, keysDestroyed: 1, masterKeysLeft: [] },
  })
  expect(await readable(runtime).texts([erased, kept])).toEqual(
    new Map([
      [erased, ''],
      [kept, textOf(Number(kept))],
    ]),
  )
  signalGroup(up!, 'SIGINT')
  expect(await up!.ended, up!.said.text).toBe(0)
}, 240_000)
