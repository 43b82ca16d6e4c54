import { expect, test } from 'vitest'
import type { Manifest, Progress } from '../../../../schemas/index.ts'
import { Metrics } from '../../../../services/runtime/metrics/metrics.ts'
import { RunMeter } from '../../../../services/runtime/metrics/run-meter.ts'
import { lossesOf } from '../../../../topologies/duplicates/losses.ts'
import { testRun } from '../../../support/run.ts'

/** The series of winnow as a scraper reads them. */
async function series(metrics: Metrics): Promise<Record<string, number>> {
  const text = await metrics.registry.metrics()
  const lines = text.split('\n').filter((line) => line.startsWith('winnow_'))
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]))
}

test('a station’s counts appear at the next scrape, and still at the one after it', async () => {
  const metrics = new Metrics(() => 0)
  const stats = { read: { 'winnow.documents': 5 }, written: { 'winnow.labels.topic': 4 }, deadLetters: 1, retries: 2 }
  const meter = metrics.station({
    station: 'labeler topic',
    stats: () => stats,
    lagOf: async () => [{ topic: 'winnow.documents', records: 7, heldBack: 3 }],
    waitingFor: () => ['winnow.documents', 'winnow.documents'],
  })
  meter.batch(0.02)
  await series(metrics)
  stats.read['winnow.documents'] = 9
  expect(await series(metrics)).toMatchObject({
    'winnow_records_read_total{station="labeler topic",run="",topic="winnow.documents"}': 9,
    'winnow_records_written_total{station="labeler topic",run="",topic="winnow.labels.topic"}': 4,
    'winnow_dead_letters_total{station="labeler topic",run=""}': 1,
    'winnow_retries_total{station="labeler topic",run=""}': 2,
    'winnow_lag_records{station="labeler topic",run="",topic="winnow.documents"}': 7,
    'winnow_held_back_records{station="labeler topic",run="",topic="winnow.documents"}': 3,
    'winnow_waiting_partitions{station="labeler topic",run="",topic="winnow.documents"}': 2,
    'winnow_batch_seconds_bucket{le="0.03",station="labeler topic",run=""}': 1,
    'winnow_batch_seconds_bucket{le="0.01",station="labeler topic",run=""}': 0,
  })
})

test('an unavailable lag does not affect the rest of a scrape; a service that has closed has none', async () => {
  const metrics = new Metrics(() => 0)
  const stats = () => ({ read: {}, written: {}, deadLetters: 3, retries: 0 })
  metrics.station({ station: 'a', stats, lagOf: () => Promise.reject(new Error('away')) })
  const ended = metrics.station({ station: 'b', stats, lagOf: async () => [{ topic: 't', records: 1, heldBack: 0 }] })
  ended.close()
  const found = await series(metrics)
  expect(Object.keys(found).filter((name) => name.startsWith('winnow_lag'))).toEqual([])
  expect(found['winnow_dead_letters_total{station="b",run=""}']).toBe(3)
})

test('a round reports its age while open, its coverage once closed, and theta once selected', async () => {
  let nowMs = 1000
  const metrics = new Metrics(() => nowMs)
  const meter = new RunMeter(metrics, 'r')
  meter.onConsole({ kind: 'opened', round: 1, requests: 200 })
  expect(await series(metrics)).toMatchObject({ 'winnow_round_opened_timestamp_seconds{run="r"}': 1 })
  nowMs = 6000
  meter.onConsole({ kind: 'closed', round: 1, reason: 'deadline', missing: 50 })
  nowMs = 6200
  const manifest = { round: 1, documents: 10, actors: ['topic'], theta: [0.25] } as unknown as Manifest
  meter.onConsole({ kind: 'selected', run: testRun('r'), manifest })
  meter.onProgress({ step: 7, tokens: 70, trainLoss: 6.5, referenceLoss: null, corpusLoss: null } as Progress, 8)
  expect(await series(metrics)).toMatchObject({
    'winnow_round_opened_timestamp_seconds{run="r"}': 0,
    'winnow_reward_coverage_ratio{run="r"}': 0.75,
    'winnow_rewards_missing_total{run="r"}': 50,
    'winnow_round_reward_seconds_sum{run="r"}': 5,
    'winnow_reselection_seconds_sum{run="r"}': 0.2,
    'winnow_theta{run="r",actor="topic"}': 0.25,
    'winnow_trainer_step{run="r"}': 7,
    'winnow_trainer_steps_planned{run="r"}': 8,
    'winnow_trainer_loss{run="r",kind="training"}': 6.5,
  })
  expect(Object.keys(await series(metrics))).not.toContain('winnow_trainer_loss{run="r",kind="reference"}')
})

test('of sources that lose to near duplicates those are told whose loss counts, and forgotten once it does not', async () => {
  const metrics = new Metrics(() => 0)
  const meter = new RunMeter(metrics, 'r')
  const names = new Map([[1, 'mirror.jsonl']])
  const quiet = Array.from({ length: 9 }, (_, i) => ({ source: 2 + i, documents: 100, lostDocuments: 1 }))
  const losses = (lostDocuments: number) =>
    lossesOf(
      [{ source: 1, documents: 100, lostDocuments }, ...quiet].map((one) => ({ ...one, tokens: 0, lostTokens: 0 })),
    ).map((loss) => ({ ...loss, name: names.get(loss.source) ?? null }))
  const told = async () =>
    Object.entries(await series(metrics)).filter(([name]) => name.startsWith('winnow_duplicate_loss_ratio'))
  meter.onDuplicateLosses(losses(91))
  expect(await told()).toEqual([['winnow_duplicate_loss_ratio{run="r",source="mirror.jsonl"}', 9.1]])
  meter.onDuplicateLosses(losses(3))
  expect(await told()).toEqual([])
})

test('texts that erasures have left are counted once a minute, and told by nobody who cannot count them', async () => {
  let nowMs = 0
  const counts: (number | Error)[] = [2, new Error('ClickHouse is away'), 0]
  const metrics = new Metrics(() => nowMs)
  const told = async () => (await series(metrics)).winnow_erasures_left_documents
  expect(await told()).toBeUndefined()
  metrics.countErasuresLeft(async () => {
    const count = counts.shift()
    if (typeof count !== 'number') throw count
    return count
  })
  expect(await told()).toBe(2)
  nowMs += 59_000
  expect(await told()).toBe(2)
  nowMs += 1000
  expect(await told()).toBeUndefined()
  expect(await told()).toBe(0)
})
