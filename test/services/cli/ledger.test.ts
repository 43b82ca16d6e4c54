import { expect, test } from 'vitest'
import { runTopics, topics, Work } from '../../../schemas/index.ts'
import type { Config } from '../../../services/config/config.ts'
import { createRunTopics } from '../../../services/connections/connections.ts'
import { submitRun } from '../../../services/runs/registry.ts'
import { workKey } from '../../../topologies/ledger/pieces.ts'
import { cliOn } from '../../support/cli.ts'
import { memoryRuntime } from '../../support/memory-runtime.ts'
import { testRun } from '../../support/run.ts'

const piece: Work = {
  ...{ run: null, purpose: 'labels', subject: 'quality v1', model: 'bert', device: 'cpu', parameters: 100 },
  ...{ parametersAll: 150, documents: 2, tokens: 1000, factor: 2, flops: 200_000, seconds: 3 },
  ...{ stream: 'winnow.documents', partition: 0, first: 0, next: 2 },
}

/** Two runs with one labeler in common, and another version's labels that neither uses. */
async function world() {
  const runtime = await memoryRuntime()
  const winnow = cliOn(runtime, undefined as unknown as Config, '.')
  const producer = await runtime.kafka.producer()
  const book = (topic: string, work: Partial<Work>) => {
    const value = { ...piece, ...work }
    return producer.send([{ topic, key: workKey(value), value: runtime.codec.encode(Work, value) }])
  }
  for (const name of ['one', 'two']) {
    await submitRun(runtime, testRun(name))
    await createRunTopics(runtime.kafka, testRun(name))
    await book(runTopics(name).work.name, {
      ...{ run: name, purpose: 'rewards', subject: 'gradient', tokens: 10, factor: 6, flops: 7000 },
    })
  }
  await book(runTopics('one').work.name, { run: 'one', purpose: 'training', subject: 't', factor: 6, flops: 600_000 })
  await book(topics.work.name, {})
  await book(topics.work.name, { first: 1, next: 2 })
  await book(topics.work.name, { subject: 'quality v2' })
  return winnow
}

test('ledger adds up what a run has cost, as Table 6 counts and with what that leaves out', async () => {
  const winnow = await world()
  const { code, stdout } = await winnow('ledger', 'one', '--json')
  expect(code).toBe(0)
  const { runs, together } = JSON.parse(stdout)
  expect(runs[0]).toMatchObject({
    run: 'one',
    tableSix: { offline: 300_000, online: 9000, overall: 309_000 },
    everything: { offline: 200_000, online: 7000, overall: 207_000 },
    training: 600_000,
  })
  expect(together.rows).toEqual(runs[0].rows)
  expect(together.rows.map(({ purpose, subject }: Work) => `${purpose} of ${subject}`)).toEqual([
    'labels of quality v1',
    'rewards of gradient',
    'training of t',
  ])
})

test('two runs are beside each other, and what they share counts once', async () => {
  const winnow = await world()
  const { runs, together } = JSON.parse((await winnow('ledger', 'one', 'two', '--json')).stdout)
  expect(runs.map((one: { everything: object }) => one.everything)).toEqual([
    { offline: 200_000, online: 7000, overall: 207_000 },
    { offline: 200_000, online: 7000, overall: 207_000 },
  ])
  expect(together.everything).toEqual({ offline: 200_000, online: 14_000, overall: 214_000 })
  const { stdout } = await winnow('ledger', 'one', 'two')
  expect(stdout).toMatch(/offline +labels +quality v1 +all runs +bert +100 +1,000 +2\.00e5/)
  expect(stdout).toMatch(/together, shared work once +3\.00e5 +1\.80e4 +3\.18e5 +2\.14e5 +6\.00e5/)
})

test('work that was done elsewhere is booked under its name, once', async () => {
  const winnow = await world()
  const how = ['--purpose', 'proxies', '--model', 'TinyLlama-1M', '--parameters', '14.2e6', '--seconds', '60']
  for (const tokens of ['1e9', '1.05e9']) {
    const { code, stdout } = await winnow('ledger', 'book', 'p', ...how, '--tokens', tokens, '--run', 'two')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^p: \d\.\d\de16 FLOPs\n$/)
  }
  const { runs } = JSON.parse((await winnow('ledger', 'two', '--json')).stdout)
  expect(runs[0].rows.find(({ purpose }: Work) => purpose === 'proxies')).toMatchObject({
    ...{ run: 'two', subject: 'p', flops: 6 * 14.2e6 * 1.05e9, flopsTableSix: 0, seconds: 60, pieces: 1 },
  })
  const shared = ['--purpose', 'fits', '--model', 'gbdt', '--parameters', '1', '--tokens', '0', '--flops', '1e9']
  expect((await winnow('ledger', 'book', 'fit', ...shared)).code).toBe(0)
  const one = JSON.parse((await winnow('ledger', 'one', '--json')).stdout).runs[0]
  expect(one.rows.find(({ purpose }: Work) => purpose === 'fits')).toMatchObject({ run: null, flops: 1e9 })
})

test('what cannot be booked, and a run that is not there, are errors that say so', async () => {
  const winnow = await world()
  const bad = await winnow(
    'ledger',
    'book',
    'p',
    '--purpose',
    'proxies',
    '--model',
    'm',
    '--parameters',
    'many',
    '--tokens',
    '1',
  )
  expect([bad.code, bad.stderr]).toEqual([2, expect.stringContaining('must be a number')])
  const purpose = await winnow(
    'ledger',
    'book',
    'p',
    '--purpose',
    'other',
    '--model',
    'm',
    '--parameters',
    '1',
    '--tokens',
    '1',
  )
  expect([purpose.code, purpose.stderr]).toEqual([2, expect.stringContaining('annotation')])
  const run = await winnow('ledger', 'three')
  expect([run.code, run.stderr]).toEqual([3, expect.stringContaining('no run three')])
})

test('ledger paper has Table 6 as printed, as computed, and what it leaves out', async () => {
  const winnow = await world()
  const text = (await winnow('ledger', 'paper')).stdout
  expect(text).toMatch(/QuRating +7\.13e20 +7\.13e20 +0 +N\.A\. +7\.13e20 +7\.13e20/)
  expect(text).toMatch(/left out +RegMix proxies .* 1\.37e20/)
  expect(JSON.parse((await winnow('ledger', 'paper', '--json')).stdout)).toHaveLength(3)
})
