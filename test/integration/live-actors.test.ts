import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { asDocumentId, labelsTopic, type Manifest } from '../../schemas/index.ts'
import { startAddedLabelers } from '../../services/host/added-labelers.ts'
import { labelledBy } from '../../services/host/labelled.ts'
import { startRunStations, startTrainer } from '../../services/host/run.ts'
import { explainDocument } from '../../services/runs/explain.ts'
import { readManifests } from '../../services/runs/recorded.ts'
import { runNamed, submitRun } from '../../services/runs/registry.ts'
import { replayRun } from '../../services/runs/replay/changes.ts'
import { replay } from '../../services/runs/replay/replay.ts'
import { closeAll, type Service } from '../../services/runtime/service.ts'
import { columnsOf } from '../../topologies/corpus-store.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { cliOn } from '../support/cli.ts'
import { until } from '../support/kafka.ts'
import { fail, openWorld, type World } from './loop-world.ts'

const rounds = 5
const length = { updateSteps: 2, steps: 2 * rounds }

async function started({ runtime, model }: World, run: RunConfig): Promise<Service[]> {
  await submitRun(runtime, run)
  const services = await startRunStations(runtime, run, model, { onFailure: fail })
  await until(async () => (await readManifests(runtime, run.name)).length > 0)
  return services
}

async function trained({ runtime, model }: World, run: RunConfig, services: Service[]): Promise<Manifest[]> {
  const trainer = await startTrainer(runtime, run, model, { onFailure: fail })
  await trainer.done
  await closeAll([...services, trainer])
  return await readManifests(runtime, run.name)
}

/** Adds or relabels an actor on the command line, and waits until the corpus is labelled and sorted for it: a round opens without what is not. */
async function change(world: World, command: string, run: string, args: readonly string[]): Promise<void> {
  const { runtime, config, folder } = world
  const { code, stdout, stderr } = await cliOn(runtime, config, folder)('run', command, run, ...args, '--json')
  expect([code, stderr]).toEqual([0, expect.stringMatching(/once (its|the) labels cover/)])
  const { actor, labelerVersion: version } = JSON.parse(stdout)
  const [first] = await readManifests(runtime, run)
  const seen = first!.labelOffsets.filter(({ topic }) => topic === 'winnow.documents')
  const column = { actor, version, topic: labelsTopic(actor).name }
  await until(() => labelledBy(runtime)(column, seen))
  const before = columnsOf(await runNamed(runtime, run))
  const isThere = before.some((one) => one.actor === actor)
  const columns = isThere ? before.map((one) => (one.actor === actor ? column : one)) : [...before, column]
  const options = { columns, labelOffsets: await runtime.store.committed(), readsOf: null, draws: true }
  await until(async () => (await runtime.store.prepare(options)) === undefined)
}

test('an actor that is added to a live run is labelled, joins, and changes no bit while it only watches', async () => {
  const world = await openWorld(60)
  const { runtime, config, folder } = world
  const winnow = cliOn(runtime, config, folder)
  const id = config.actors[0]!.name.slice('kind-'.length)
  const labelers = await startAddedLabelers(runtime, config, fail)
  const [watcher, newcomer] = [`watcher-${id}`, `newcomer-${id}`]
  const subcategories = ['ledger', 'kitchen', 'harbour']
  writeFileSync(
    join(folder, 'kinds.json'),
    JSON.stringify({ subcategories, labeler: { kind: 'metadata', path: 'kind' } }),
  )

  const [alone, live] = [world.run('alone', {}, length), world.run('live', {}, length)]
  const ofAlone = await started(world, alone)
  const ofLive = await started(world, live)
  const how = ['--labeler', 'kinds.json', '--actor', watcher]
  await change(world, 'add-actor', live.name, [...how, '--eta', '0', '--theta', '0', '--from-round', '2'])
  const twice = await winnow('run', 'add-actor', live.name, ...how)
  expect([twice.code, twice.stderr]).toEqual([3, expect.stringContaining('it has one of that name')])
  const waiting = await winnow('run', 'show', live.name)
  expect(waiting.stdout).toContain(
    `actor ${watcher} joins once its labels cover what the last selection saw, not before`,
  )
  const [without, beside] = await Promise.all([trained(world, alone, ofAlone), trained(world, live, ofLive)])
  expect(beside.map(({ actors }) => actors.length)).toEqual([2, 2, 3, 3, 3])
  const digests = (manifests: readonly Manifest[]) => manifests.map(({ selectionDigest }) => selectionDigest)
  expect(digests(beside)).toEqual(digests(without))
  expect(beside.map(({ theta }) => theta.slice(0, 2))).toEqual(without.map(({ theta }) => theta))
  expect((await winnow('run', 'show', live.name)).stdout).toContain(`actor ${watcher} joins with round 2`)

  const [kind] = config.actors
  const other = world.run('other', {}, length)
  const ofOther = await started(world, other)
  writeFileSync(join(folder, 'fitted.json'), JSON.stringify({ harbour: 0.7, kitchen: 0.2, ledger: 0.1 }))
  await change(world, 'add-actor', other.name, [
    '--labeler',
    'kinds.json',
    '--actor',
    newcomer,
    '--weights',
    'fitted.json',
  ])
  for (const args of [
    ['freeze-actor', other.name, kind!.name, '--from-round', '2'],
    ['remove-actor', other.name, newcomer, '--from-round', '4'],
  ])
    expect(await winnow('run', ...args)).toMatchObject({ code: 0 })
  const changed = await trained(world, other, ofOther)
  expect(changed.map(({ actors }) => actors.length)).toEqual([2, 3, 3, 3, 2])
  expect(changed[2]!.weights[0]).toEqual(changed[1]!.weights[0])
  expect(changed[2]!.actorRewards[0]).toBeNull()
  expect(changed[1]!.actorRewards[2]).not.toBeNull()

  for (const run of [live, other]) {
    const again = await replay({ runtime, recorded: run, replay: replayRun(run, `${run.name}-again`) })
    expect(again.map(({ firstDifference }) => firstDifference)).toEqual(Array(rounds).fill(undefined))
  }
  const { stdout } = await winnow('select', '--run', other.name, '--round', '1')
  const docId = asDocumentId(BigInt(stdout.split('\n')[0]!))
  const explained = await explainDocument(runtime, other, docId)
  expect(explained!.explanations.map(({ contributions }) => contributions.length)).toEqual([2, 3, 3, 3, 2])
  expect(explained!.explanations[1]!.verdict).toBe('selected')
  const ledger = JSON.parse((await winnow('ledger', other.name, '--json')).stdout).runs[0]
  const work = ledger.rows.map(({ purpose, subject }: { purpose: string; subject: string }) => `${purpose} ${subject}`)
  expect(work.filter((what: string) => what.startsWith('labels'))).toHaveLength(3)
  expect(work).toContainEqual(expect.stringMatching(/^rewards gradient/))
  expect(ledger.rows.find(({ purpose }: { purpose: string }) => purpose === 'training').tokens).toBe(
    2 * rounds * 2 * 24,
  )
  expect(JSON.parse((await winnow('status', '--json')).stdout).runs).toBeDefined()
  await labelers.close()
})

test('subcategories of a live run that are merged are labelled again, the others keep their weights, and its archive says the same to the bit', async () => {
  const world = await openWorld(60)
  const { runtime, config, folder } = world
  const winnow = cliOn(runtime, config, folder)
  const labelers = await startAddedLabelers(runtime, config, fail)
  const mapping = { harbour: 'harbour', kitchen: 'inland', ledger: 'inland' }
  const labeler = { kind: 'metadata', path: 'kind', mapping }
  writeFileSync(join(folder, 'coarser.json'), JSON.stringify({ subcategories: ['harbour', 'inland'], labeler }))

  const run = world.run('coarser', {}, length)
  const services = await started(world, run)
  const kind = config.actors[0]!.name
  const lost = await winnow('run', 'relabel-actor', run.name, kind, '--labeler', 'coarser.json')
  expect([lost.code, lost.stderr]).toEqual([3, expect.stringContaining('have no kitchen, ledger: say what becomes')])
  const how = ['--labeler', 'coarser.json', '--merge', 'kitchen,ledger=inland', '--by', 'ada', '--why', 'coarser']
  await change(world, 'relabel-actor', run.name, [kind, ...how, '--from-round', '2'])
  const manifests = await trained(world, run, services)
  const weights = manifests.map((manifest) => manifest.weights[0]!)
  expect(weights.map(({ length: subcategories }) => subcategories)).toEqual([3, 3, 2, 2, 2])
  expect((await winnow('run', 'show', run.name)).stdout).toMatch(
    /kitchen, ledger become inland\) from round 2 on \(ada: coarser\)/,
  )

  const again = await replay({ runtime, recorded: run, replay: replayRun(run, `${run.name}-again`) })
  expect(again.map(({ firstDifference }) => firstDifference)).toEqual(Array(rounds).fill(undefined))
  const [docId] = (await winnow('select', '--run', run.name, '--round', '1')).stdout.split('\n')
  const explained = async (of: string) => {
    const { code, stdout } = await winnow('explain', docId!, '--run', of, '--json')
    expect(code).toBe(0)
    return JSON.parse(stdout).explanations
  }
  const live = await explained(run.name)
  const archive = join(folder, 'archive')
  expect(await winnow('export', run.name, '--out', archive)).toMatchObject({ code: 0 })
  const replayed = await winnow('replay', '--run', `archive:${archive}`)
  expect([replayed.code, replayed.stdout]).toEqual([0, expect.stringContaining('are the same to the bit')])
  expect(await explained(`archive:${archive}`)).toEqual(live)
  await labelers.close()
})
