import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { asDocumentId } from '../../schemas/index.ts'
import { startDuplicates } from '../../services/host/duplicates.ts'
import { startRunStations, startTrainer } from '../../services/host/run.ts'
import { ingest } from '../../services/ingest/ingest.ts'
import { noProgress } from '../../services/ingest/progress.ts'
import { explainDocument } from '../../services/runs/explain.ts'
import { labelProgress } from '../../services/runs/label-progress.ts'
import { readManifests } from '../../services/runs/recorded.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { replayRun } from '../../services/runs/replay/changes.ts'
import { replay } from '../../services/runs/replay/replay.ts'
import { systemClock } from '../../services/runtime/clock.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { cliOn } from '../support/cli.ts'
import { until } from '../support/kafka.ts'
import { corpusLines, fail, openWorld } from './loop-world.ts'

const rounds = 3

test('of documents that are there twice a run takes one, explains the others, and replays to the bit', async () => {
  const world = await openWorld(30)
  const { runtime, config, folder, model } = world
  const winnow = cliOn(runtime, config, folder)
  // Ten of them again, in large letters.
  const copies = corpusLines(0, 10)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { text: string })
    .map((row) => `${JSON.stringify({ ...row, text: row.text.toUpperCase() })}\n`)
  writeFileSync(join(folder, 'copies.jsonl'), copies.join(''))
  const paths = [join(folder, 'copies.jsonl')]
  await ingest({ ...runtime, paths, clock: systemClock, progress: noProgress, nameOptions: { prefix: 'copies' } })
  const isLabelled = async () => (await labelProgress(runtime, new Map(Object.entries(world.versions)))).complete === 40
  await until(isLabelled)

  const selection = { budget: { documents: 1000 }, duplicates: { atMost: 1 } }
  const run = world.run('once', selection, { updateSteps: 2, steps: 2 * rounds })
  await submitRun(runtime, run)
  const services = await startRunStations(runtime, run, model, { onFailure: fail })
  onTestFinished(() => closeAll(services))
  services.push(await startDuplicates(runtime, fail), await startTrainer(runtime, run, model, { onFailure: fail }))
  await until(async () => (await readManifests(runtime, run.name)).length === rounds)

  const selected = async (round: number) => {
    const { stdout } = await winnow('select', '--run', run.name, '--round', `${round}`)
    return stdout.trim().split('\n').map(BigInt)
  }
  const everyone = (
    await runtime.clickHouse.sql.query<{ doc: string }>('SELECT DISTINCT doc FROM documents ORDER BY doc')
  ).map(({ doc }) => BigInt(doc))
  expect(everyone).toHaveLength(40)
  for (let round = 0; round < rounds; round++)
    expect((await selected(round)).sort((a, b) => (a < b ? -1 : 1))).toEqual(everyone.slice(0, 30))
  const { explanations } = (await explainDocument(runtime, run, asDocumentId(everyone[33]!)))!
  expect(explanations.map(({ verdict, flip }) => [verdict, flip])).toEqual(
    Array(rounds).fill([
      ...['a near duplicate', `duplicates.atMost above 1: ${everyone[3]} shares text with it and came first`],
    ]),
  )
  const again = await replay({ runtime, recorded: run, replay: replayRun(run, `${run.name}-again`) })
  expect(again.map(({ firstDifference }) => firstDifference)).toEqual(Array(rounds).fill(undefined))
})
