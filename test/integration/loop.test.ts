import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import type { Manifest } from '../../schemas/index.ts'
import { asDocumentId } from '../../schemas/index.ts'
import { readDocument, readsByConditions } from '../../services/corpus/document.ts'
import { Exposures } from '../../services/corpus/exposures.ts'
import { startRunStations, startTrainer } from '../../services/host/run.ts'
import { explainDocument } from '../../services/runs/explain.ts'
import { keepExposures } from '../../services/runs/exposure/keep.ts'
import { seenBy } from '../../services/runs/exposure/seen.ts'
import { checkpointMeant, trainedOn } from '../../services/runs/exposure/trained.ts'
import { readTraining } from '../../services/runs/exposure/training.ts'
import { readProgress, readRecordedRun } from '../../services/runs/recorded.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { replayRun } from '../../services/runs/replay/changes.ts'
import { replay } from '../../services/runs/replay/replay.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { selectionsOf } from '../../services/selections/chunks.ts'
import { columnsOf } from '../../topologies/corpus-store.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { until } from '../support/kafka.ts'
import { decidedInMemory, decidedOnCluster, selectedIds } from './loop-memory.ts'
import { fail, openWorld, type World } from './loop-world.ts'

const corpusDocuments = 60

async function trainToTheEnd({ runtime, model }: World, run: RunConfig): Promise<void> {
  await submitRun(runtime, run)
  const services = await startRunStations(runtime, run, model, { onFailure: fail })
  services.push(...(await keepExposures(runtime, run)))
  const trainer = await startTrainer(runtime, run, model, { onFailure: fail })
  services.push(trainer)
  await trainer.done
  if (run.exposures === true) await untilKept(runtime, run)
  await closeAll(services)
}

/** Until the table has what was read up to the last checkpoint, and of a round that was not read to its end the document after it. */
async function untilKept(runtime: World['runtime'], { name, steps }: RunConfig): Promise<void> {
  const { manifests, opened } = await readRecordedRun(runtime, name)
  expect(manifests).toHaveLength(3)
  const last = (await readProgress(runtime, name)).at(-1)!
  expect(last.step).toBe(steps)
  const read = [...opened.slice(1).map(({ previousRead }) => previousRead!), last.position]
  const expected = new Map(manifests.map(({ round, documents }, i) => [round, Math.min(documents, read[i]! + 1)]))
  const exposures = new Exposures(runtime.clickHouse.sql, name)
  await until(async () => isDeepStrictEqual(await exposures.counts(), expected))
}

test('the loop on the cluster: what the in-memory driver decides, replays to the bit, explains every document', async () => {
  const world = await openWorld(corpusDocuments)
  const { runtime } = world
  const decay = world.run('decay', { repetitionDecay: 0.5 }, { exposures: true })
  // A selection that is smaller than what a stage reads: the trainer goes round.
  const exclude = world.run('exclude', { repeat: 'exclude', budget: { documents: 3 } }, { updateSteps: 4, steps: 12 })
  await Promise.all([trainToTheEnd(world, decay), trainToTheEnd(world, exclude)])
  const { sql } = runtime.clickHouse
  expect(await new Exposures(sql, exclude.name).counts()).toEqual(new Map())
  // What was read while nobody kept it is made up for.
  await sql.command('TRUNCATE TABLE exposures')
  const keeping = await keepExposures(runtime, decay)
  await untilKept(runtime, decay)
  await closeAll(keeping)

  for (const run of [decay, exclude]) {
    const onCluster = await decidedOnCluster(runtime, run)
    expect(onCluster.manifests).toHaveLength(3)
    expect(onCluster).toEqual(await decidedInMemory(runtime, run))
    await expectReadsAsCounted(world, run)
    await expectProgressToGoForward(world, run)
    await expectSeenAsRead(world, run)
  }

  const same = await replay({ runtime, recorded: decay, replay: replayRun(decay, `${decay.name}-again`) })
  expect(same).toEqual(
    [0, 1, 2].map((round) => ({ round, same: true, firstDifference: undefined, documents: [20, 20], common: 20 })),
  )
  const excluded = await replay({ runtime, recorded: exclude, replay: replayRun(exclude, `${exclude.name}-again`) })
  expect(excluded.map(({ same: one }) => one)).toEqual([true, true, true])
  const changed = { update: 'additive', budget: { documents: 25 } }
  const other = await replay({ runtime, recorded: decay, replay: replayRun(decay, `${decay.name}-other`, changed) })
  expect(other.map(({ same: one, documents }) => [one, documents])).toEqual([
    [false, [20, 25]],
    [false, [20, 25]],
    [false, [20, 25]],
  ])
  expect(other[1]!.firstDifference).toMatch(/^weights: actor kind-/)

  await world.add(200, 2)
  for (const run of [decay, exclude]) await expectExplanationsToAgree(world, run)
})

/** What `seen` says of every document, counted over the whole stream; a checkpoint is at the end of each round. */
async function expectSeenAsRead({ runtime }: World, run: RunConfig): Promise<void> {
  const { manifests } = await readRecordedRun(runtime, run.name)
  const selected = await selectedIds(runtime, manifests)
  const reports = (await readProgress(runtime, run.name)).filter(({ checkpoint }) => checkpoint !== null)
  expect(reports.map(({ step }) => step)).toEqual([1, 2, 3].map((k) => k * run.updateSteps))
  const some = [...new Set(selected.flat())].filter((_, i) => i % 6 === 0).map(asDocumentId)
  for (const docId of some) {
    const [seen] = await seenBy(runtime, docId, [run])
    const places = selected.flatMap((ids, round) => (ids.includes(docId) ? [{ round, index: ids.indexOf(docId) }] : []))
    expect(seen!.selected.map(({ round, index }) => ({ round, index }))).toEqual(places)
    let times = 0
    const expected = reports.map(({ round, position, step }) => {
      const [n, at] = [selected[round]!.length, selected[round]!.indexOf(docId)]
      for (let passed = 0; passed < position; passed++) if (passed % n === at) times++
      return { step, times }
    })
    const found = seen!.checkpoints.map(({ step, times }) => ({ step, times }))
    expect(found).toEqual(expected.filter(({ times }) => times > 0))
  }
  expect(await seenBy(runtime, asDocumentId(2n ** 64n - 1n), [run])).toEqual([])
  await expectTrainedOnAsRead({ runtime }, run, selected)
}

/** What `trained` says of the last checkpoint and of one before it, counted over the whole stream. */
async function expectTrainedOnAsRead(
  { runtime }: Pick<World, 'runtime'>,
  run: RunConfig,
  selected: readonly (readonly bigint[])[],
) {
  const training = await readTraining(runtime, run.name, await runtime.kafka.topicNames())
  const inputs = { runtime, run, training, selections: selectionsOf(runtime), sources: new Map() }
  for (const step of [run.updateSteps, run.steps]) {
    const found = await trainedOn(inputs, checkpointMeant(training, run.name, `${step}`))
    const ends = training.progress.filter((one) => one.checkpoint !== null && one.step <= step)
    const read = ends.flatMap(({ round, position }) =>
      Array.from({ length: position }, (_, i) => selected[round]![i % selected[round]!.length]!),
    )
    expect(found.documents).toBe(read.length)
    expect(found.rounds.map(({ round, read }) => ({ round, read }))).toEqual(
      ends.map(({ round, position }) => ({ round, read: position })),
    )
    const times = Map.groupBy(new Set(read), (id) => read.filter((one) => one === id).length)
    expect(found.distinct).toBe(new Set(read).size)
    expect(new Map(found.times.map((one) => [one.times, one.documents]))).toEqual(
      new Map([...times].map(([n, ids]) => [n, ids.length])),
    )
    for (const { subcategories } of found.actors)
      expect(subcategories.reduce((sum, { documents }) => sum + documents, 0)).toBe(read.length)
  }
}

/** SELECTION.md, "Score": the i-th of n documents was read floor((m - i - 1) / n) + 1 times, m where the trainer was. */
async function expectReadsAsCounted({ runtime }: World, run: RunConfig): Promise<void> {
  const { manifests, opened } = await readRecordedRun(runtime, run.name)
  const selected = await selectedIds(runtime, manifests)
  const { sql } = runtime.clickHouse
  const ids = await sql.query<{ doc: string }>('SELECT doc FROM corpus FINAL')
  const rounds = opened.slice(1).map(({ round }) => round - 1)
  let read = 0
  for (const { doc } of ids) {
    const docId = asDocumentId(BigInt(doc))
    const document = (await readDocument(sql, docId, columnsOf(run)))!
    const labels = document.labels!.map(({ subcategory }) => subcategory)
    let times = 0
    for (const [i, { previousRead: m }] of opened.slice(1).entries()) {
      const at = selected[rounds[i]!]!.indexOf(docId)
      if (at >= 0 && at < m!) times += Math.floor((m! - at - 1) / selected[rounds[i]!]!.length) + 1
      const counted = await readsByConditions(sql, run.name, rounds.slice(0, i + 1), { docId, labels }, () => true)
      expect([doc, i, counted]).toEqual([doc, i, times])
    }
    read += times
  }
  expect(read).toBeGreaterThan(0)
  expect(opened.slice(1).every(({ previousRead }) => previousRead! > 0)).toBe(true)
  if (run.selection.repeat === 'exclude') {
    expect(opened[1]!.previousRead).toBeGreaterThan(3)
    for (const round of [1, 2]) expect(selected[round]!.filter((id) => selected[round - 1]!.includes(id))).toEqual([])
  }
}

async function expectProgressToGoForward({ runtime }: World, run: RunConfig): Promise<void> {
  const reports = await readProgress(runtime, run.name)
  expect(reports.map(({ step }) => step)).toEqual(Array.from({ length: run.steps + 1 }, (_, step) => step))
  for (const [i, report] of reports.slice(1).entries()) {
    const before = reports[i]!
    expect(report.tokens - before.tokens).toBe(2 * 24)
    expect(report.round).toBeGreaterThanOrEqual(before.round)
    if (report.round === before.round) expect(report.position).toBeGreaterThanOrEqual(before.position)
    expect(report.trainLoss).toBeGreaterThan(0)
  }
  const checkpoints = reports.flatMap(({ step, checkpoint }) => (checkpoint === null ? [] : [[step, checkpoint.step]]))
  expect(checkpoints).toEqual([1, 2, 3].map((stage) => [stage * run.updateSteps, stage * run.updateSteps]))
}

async function expectExplanationsToAgree({ runtime }: World, run: RunConfig): Promise<void> {
  const manifests: Manifest[] = [...(await readRecordedRun(runtime, run.name)).manifests]
  const selected = (await selectedIds(runtime, manifests)).map((ids) => new Set(ids))
  const rows = await runtime.clickHouse.sql.query<{ doc: string }>('SELECT doc FROM corpus FINAL')
  expect(rows).toHaveLength(corpusDocuments + 2)
  const verdicts = new Set<string>()
  let late = 0
  for (const { doc } of rows) {
    const { explanations } = (await explainDocument(runtime, run, asDocumentId(BigInt(doc))))!
    const were = explanations.map(({ round, verdict }) => ({ round, selected: verdict === 'selected' }))
    expect(were).toEqual(manifests.map(({ round }, i) => ({ round, selected: selected[i]!.has(BigInt(doc)) })))
    if (explanations.every(({ verdict }) => verdict === 'not there yet')) late++
    for (const { verdict } of explanations) verdicts.add(verdict)
  }
  expect(late).toBe(2)
  expect(verdicts).toContain(run.selection.repeat === 'exclude' ? 'already read' : 'below the threshold')
  expect(verdicts).toContain('lost the draw among equals')
}
