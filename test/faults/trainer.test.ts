import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { demoGraphs } from '../../deploy/demo/model.ts'
import { type Progress, runTopics } from '../../schemas/index.ts'
import type { Failpoint } from '../../services/runtime/failpoints.ts'
import { type RunConfig, runConfigJson } from '../../topologies/run-config.ts'
import { type Crash, repeatsOf, seed, seededFor } from './cases.ts'
import { openPlayed, type Played } from './play.ts'
import { type ChildOptions, killAt, Service } from './service.ts'
import type { TrainerChildOptions } from './trainer-child.ts'

const points: Failpoint[] = ['stepping', 'checkpointed', 'reported']
const killsEach = 2
const updateSteps = 3

let played: Played
const folder = mkdtempSync(join(tmpdir(), 'winnow-trainer-'))
const services: Service[] = []

beforeAll(async () => {
  played = await openPlayed()
  const sample = (name: string) =>
    writeFileSync(join(folder, name), `${JSON.stringify({ text: `${name}: rain and salt on the harbour` })}\n`)
  sample('reward')
  sample('evaluation')
  sample('corpus')
})
afterAll(async () => {
  for (const service of services) await service.kill()
  await played?.close()
  rmSync(folder, { recursive: true })
})

interface Trained {
  /** What was reported with an evaluation, by step; a step that is reported again says the same. */
  readonly reports: Map<number, string>
  readonly reportedTwice: number
}

/** Trains on the recorded selections, once more after every kill, with checkpoints in a folder of its own. */
async function trained(checkpoints: string, crashes: readonly Crash[]): Promise<Trained> {
  const config: RunConfig = {
    ...played.run,
    updateSteps,
    steps: updateSteps * played.expected.selected.length,
    model: demoGraphs,
    checkpoints: join(folder, checkpoints),
    reference: {
      ...played.run.reference,
      reward: join(folder, 'reward'),
      evaluation: join(folder, 'evaluation'),
      corpus: join(folder, 'corpus'),
    },
    trainer: { ...played.run.trainer, batch: 2, context: 16, reportSteps: 2, warmupSteps: 2 },
  }
  const topic = runTopics(played.run.name).progress.name
  const before = (await played.world.records(topic)).length
  const start = (crash?: ChildOptions['crash']) => {
    const options: TrainerChildOptions = {
      addresses: played.world.addresses,
      run: runConfigJson(config),
      ...(crash && { crash }),
    }
    services.push(new Service(`trainer into ${checkpoints}`, 'trainer-child.ts', options))
    return services.at(-1)!
  }
  const last = await killAt(crashes, start)
  await last.said('done')
  expect(await last.exited(), last.errors).toBe(0)

  const reports = new Map<number, string>()
  let reportedTwice = 0
  for (const { record, value } of (await played.world.records(topic)).slice(before)) {
    // The others say which selection it begins with.
    if (record !== 'Progress') continue
    const { step, tokens, round, position, referenceLoss, corpusLoss, checkpoint } = value as Progress
    if (referenceLoss === null) continue
    const said = JSON.stringify({ tokens, round, position, referenceLoss, corpusLoss, digest: checkpoint?.digest })
    if (reports.has(step)) {
      reportedTwice++
      expect(said).toBe(reports.get(step))
    }
    reports.set(step, said)
  }
  return { reports, reportedTwice }
}

const cases = Array.from({ length: repeatsOf({ landing: 6, soak: 60 }) }, (_, repeat) => ({ repeat }))

test.for(cases)(
  `the reference trainer, killed 6 times, ends with the same weights and losses, to the bit, as without kills (WINNOW_FAULT_SEED=${seed}, $repeat)`,
  { timeout: 240_000 },
  async ({ repeat }) => {
    const random = seededFor(`trainer/${repeat}`)
    const visits: Record<string, number> = {
      stepping: 2 + random.below(4),
      checkpointed: 1,
      reported: 2 + random.below(2),
    }
    const crashes = Array.from({ length: killsEach }, () =>
      points.map((point) => ({ point, visit: visits[point]! })),
    ).flat()
    const alone = await trained(`alone-${repeat}`, [])
    const killed = await trained(`killed-${repeat}`, crashes)
    expect([...alone.reports.keys()]).toEqual([0, 3, 6, 9, 12, 15, 18, 21])
    expect(alone.reportedTwice).toBe(0)
    expect(killed.reportedTwice).toBeGreaterThan(2)
    expect(killed.reports).toEqual(alone.reports)
  },
)
