import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { labelsTopic, Reward, type RewardRequest, RoundOpened, runTopics } from '../../schemas/index.ts'
import { startAddedLabelers } from '../../services/host/added-labelers.ts'
import { labelledBy } from '../../services/host/labelled.ts'
import { startRunStations, startTrainer } from '../../services/host/run.ts'
import { readManifests, readTopic } from '../../services/runs/recorded.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { closeAll } from '../../services/runtime/service.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { startWinnow } from '../services/cli/winnow.ts'
import { cliOn } from '../support/cli.ts'
import { blocksFor } from '../support/documents.ts'
import { until } from '../support/kafka.ts'
import { replacing } from '../support/shell.ts'
import { fail, openWorld, type World } from './loop-world.ts'

type Rewarded = (request: RewardRequest) => number

/** What a step on a text does to the loss: planted. */
const sign =
  (of: string): Rewarded =>
  ({ text, docId }) =>
    (text.startsWith(of) ? 1 : 0) + Number(docId % 7n) / 20
const noise: Rewarded = ({ docId }) => Number((docId * 48271n) % 101n)

/** Answers the requests of a round, once it is open, as influence workers do. */
async function answer({ runtime }: World, run: RunConfig, round: number, rewarded: Rewarded): Promise<void> {
  const { consoleState, rewardRequests, rewards } = runTopics(run.name)
  const openingOf = async (wanted: number) =>
    (await readTopic(runtime, consoleState.name)).findLast(
      ({ record, value }) => record === RoundOpened.name && (value as RoundOpened).round === wanted,
    )?.value as RoundOpened | undefined
  let requests: RewardRequest[] = []
  // The markers of one transaction reach its partitions one after the other.
  await until(async () => {
    const asked = (await openingOf(round))?.samples.flatMap(({ docIds }) => docIds)
    requests = (await readTopic(runtime, rewardRequests.name)).map(({ value }) => value as RewardRequest)
    requests = requests.filter((request) => request.round === round)
    return asked !== undefined && requests.length === asked.length
  })
  const answers = requests.map((request) => ({
    topic: rewards.name,
    key: `${request.docId}`,
    value: runtime.codec.encode(Reward, {
      ...{ run: run.name, round, actor: request.actor, docId: request.docId, reward: rewarded(request) },
      ...{ checkpointDigest: request.checkpointDigest, graphDigest: '', estimator: 'planted', projectionSeed: '' },
      taskRewards: null,
    }),
  }))
  await using producer = new AsyncDisposableStack()
  await producer.adopt(await runtime.kafka.producer(), (one) => one.close()).send(answers)
  if (run.stages !== undefined) return
  await until(async () => (await readManifests(runtime, run.name)).some((manifest) => manifest.round === round))
  // What is fitted from now on is too late for the next round.
  await until(async () => (await openingOf(round + 1)) !== undefined)
}

/** The share of a round's selection whose text is of this kind. */
async function shareOf(world: World, run: string, round: number, kind: string): Promise<number> {
  const { stdout } = await cliOn(world.runtime, world.config, world.folder)(
    'select',
    '--run',
    run,
    '--round',
    `${round}`,
  )
  const ids = stdout.trim().split('\n').map(BigInt)
  const texts = await world.runtime.store.texts(ids as never)
  return [...texts.values()].filter((text) => text.startsWith(kind)).length / ids.length
}

test('a run goes from stage to stage: its labels are fitted to its rewards, it waits for them, selects by them, and replays with every fit to the bit', async () => {
  const world = await openWorld(120, {}, (id) => ({ [`influence-${id}`]: { labeler: { kind: 'constant' } } }))
  const { runtime, config, folder, database, versions, model } = world
  const winnow = cliOn(runtime, config, folder)
  const influence = config.actors.find(({ name }) => name.startsWith('influence-'))!.name
  const of = { actors: { [influence]: { subcategories: ['all'] } }, holdOut: 0.1, budget: { documents: 24 } }
  const score = { kind: 'label', actor: influence, sign: -1, standardize: 'corpus' }
  const strategy = { score, sampler: { kind: 'gumbel', temperature: 0.5 } }
  const run = world.run('mates', { ...of, strategy }, { steps: 40, sampleDocuments: 80, labelers: versions })
  const labelers = await startAddedLabelers(runtime, config, fail)
  await submitRun(runtime, run)
  const services = await startRunStations(runtime, run, model, { onFailure: fail, influenceWorkers: 0 })
  services.push(labelers, await startTrainer(runtime, run, model, { onFailure: fail }))
  onTestFinished(() => closeAll(services))

  const fitted = async (...args: string[]) => {
    const done = await winnow('mates', 'fit', run.name, ...args, '--json')
    expect(done.code, done.stderr).toBe(0)
    const change = JSON.parse(done.stdout)
    const seen = (await readManifests(runtime, run.name))[0]!.labelOffsets
    const documents = seen.filter(({ topic }) => topic === 'winnow.documents')
    const column = { actor: influence, version: change.labelerVersion, topic: labelsTopic(influence).name }
    await until(() => labelledBy(runtime)(column, documents))
    return change
  }
  const refused = async (part: string, ...args: string[]) =>
    expect(await winnow('mates', 'fit', run.name, ...args)).toMatchObject({
      code: 5,
      stdout: '',
      stderr: expect.stringContaining(part),
    })

  let next = 3
  /** Answers rounds until one selects by this version: a round does not wait until the corpus is sorted for new labels. */
  const takenFrom = async (version: string): Promise<number> => {
    for (;;) {
      await answer(world, run, next++, sign('ledger'))
      const listed = JSON.parse((await winnow('mates', 'list', run.name, '--json')).stdout) as Record<string, unknown>[]
      const from = listed.find((stage) => stage.version === version)!.from as number | null
      // The next round may be open already, and have taken it; then it is not selected yet.
      if (from !== null && from < next) return from
    }
  }

  await until(async () => (await readManifests(runtime, run.name)).length > 0)
  expect(await winnow('mates', 'fit', run.name)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('with rewards'),
  })
  // Killed in the middle, and once more.
  await answer(world, run, 1, sign('harbour'))
  const file = join(folder, 'own.yaml')
  const { actors } = parse(readFileSync(config.file!, 'utf8'))
  writeFileSync(file, JSON.stringify({ corpus: { partitions: 3 }, actors, clickhouse: { database } }))
  const env = {
    WINNOW_BROKERS: inject('brokers').join(','),
    WINNOW_REGISTRY_URL: inject('registryUrl'),
    WINNOW_CLICKHOUSE_URL: inject('clickhouseUrl'),
  }
  const { child, ended } = startWinnow(['mates', 'fit', run.name, '--config', file], env, folder)
  const models = () => (existsSync(join(folder, 'mates')) ? readdirSync(join(folder, 'mates')) : [])
  await until(() => models().length > 0)
  child.kill('SIGKILL')
  await ended
  const first = await fitted()
  expect(first).toMatchObject({ kind: 'relabel', actor: influence, fit: { run: run.name, rounds: [1] } })
  // Far from chance; how far depends on the documents that the ids of this run draw.
  expect(first.fit.spearman).toBeGreaterThan(0.3)
  expect(models()).toHaveLength(1)
  const again = await fitted()
  expect(again).toEqual({ ...first, recordedMs: again.recordedMs, recorded: false })

  // Round 2 opened before: the labels hold from a later round on. Its rewards are noise.
  expect((await winnow('run', 'show', run.name)).stdout).toContain(
    `actor ${influence} has labels of version ${first.labelerVersion} (fitted to ${first.fit.probes} rewards of ${run.name}, round 1;`,
  )
  expect((await winnow('mates', 'list', run.name)).stdout).toMatch(/100\.0% +from the next round on/)
  await answer(world, run, 2, noise)
  await refused('noise has up to', '--round', '2')
  const firstFrom = await takenFrom(first.labelerVersion)
  const second = await fitted('--round', `${firstFrom}`)
  expect(second.labelerVersion).not.toBe(first.labelerVersion)
  await answer(world, run, next, () => 1)
  await refused('are all the same', '--round', `${next++}`)
  const secondFrom = await takenFrom(second.labelerVersion)
  // As before the fit, by the first stage, by the second.
  for (const round of [0, 1, 2]) expect(await shareOf(world, run.name, round, 'harbour')).toBeLessThan(0.6)
  for (const round of [firstFrom, firstFrom + 1])
    expect(await shareOf(world, run.name, round, 'harbour')).toBeGreaterThan(0.6)
  expect(await shareOf(world, run.name, secondFrom, 'ledger')).toBeGreaterThan(0.6)

  // A labeler that was trained elsewhere, and one that knows nothing of these rewards.
  const elsewhere = {
    subcategories: ['all'],
    labeler: { ...JSON.parse(second.labeler), ranges: { all: { from: -100 } } },
  }
  writeFileSync(join(folder, 'elsewhere.json'), JSON.stringify(elsewhere))
  const onnx = { kind: 'onnx', model: join(import.meta.dirname, '../services/labeler/fixtures/quality') }
  const unknowing = { ...elsewhere, labeler: { ...onnx, ranges: { all: { from: -1000 } } } }
  writeFileSync(join(folder, 'onnx.json'), JSON.stringify(unknowing))
  await refused('noise has up to', '--round', `${secondFrom}`, '--labeler', 'onnx.json')
  const known = await winnow('mates', 'fit', run.name, '--round', `${secondFrom}`, '--labeler', 'elsewhere.json')
  expect(known).toMatchObject({ code: 0, stdout: expect.stringMatching(/Spearman correlation with \d+ .*: 0\.\d+/) })

  const listed = JSON.parse((await winnow('mates', 'list', run.name, '--json')).stdout)
  expect(listed.map(({ state, from, until: to }: Record<string, unknown>) => [state, from, to])).toEqual([
    ['replaced', 0, firstFrom - 1],
    ['replaced', firstFrom, secondFrom - 1],
    ['selecting', secondFrom, null],
    ['waiting', null, null],
  ])
  const ledger = JSON.parse((await winnow('ledger', run.name, '--json')).stdout).runs[0]
  const rows = ledger.rows.map(({ purpose, subject }: { purpose: string; subject: string }) => `${purpose} ${subject}`)
  for (const { labelerVersion } of [first, second]) {
    expect(rows).toContain(`fits ${influence} ${labelerVersion}`)
    expect(rows).toContain(`labels ${influence} ${labelerVersion}`)
  }
  const replayed = await winnow('replay', '--run', run.name, '--refit')
  expect(replayed, replayed.stderr).toMatchObject({ code: 0 })
  for (const [round, { labelerVersion }] of [
    [firstFrom, first],
    [secondFrom, second],
  ] as const)
    expect(replayed.stdout).toContain(
      `labels of ${influence} from round ${round} on, version ${labelerVersion}: their fit comes out again to the bit`,
    )
  expect(replayed.stdout).toContain('are the same to the bit')

  // With stages a round waits for the labels of its own.
  const stages = { stages: { waitSeconds: 600 }, steps: 4, sampleDocuments: 80, labelers: versions }
  const staged = world.run('staged', { ...of, strategy }, stages)
  await submitRun(runtime, staged)
  services.push(...(await startRunStations(runtime, staged, model, { onFailure: fail, influenceWorkers: 0 })))
  services.push(await startTrainer(runtime, staged, model, { onFailure: fail }))
  await answer(world, staged, 1, sign('kitchen'))
  const says = async (part: string) => (await winnow('run', 'show', staged.name)).stdout.includes(part)
  await until(() => says('waits for labels fitted to the rewards of round 1 (winnow mates fit'))
  const followed = await winnow('mates', 'follow', staged.name, '--json')
  expect(followed, followed.stderr).toMatchObject({ code: 0 })
  const { labelerVersion } = JSON.parse(followed.stdout)
  expect(await says(`actor ${influence} has labels of version ${labelerVersion}`)).toBe(true)
  expect(await shareOf(world, staged.name, 1, 'kitchen')).toBeGreaterThan(0.6)
  expect(await winnow('replay', '--run', staged.name, '--refit')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/from round 1 on.* comes out again to the bit(?:.|\n)*are the same to the bit/),
  })

  // As docs/mates.md has it.
  const documented = blocksFor('integration/mates').flatMap(({ text }) => text.trim().split('\n'))
  expect(documented.length).toBeGreaterThan(3)
  for (const line of documented) {
    const command = replacing(line.replace(/ +#.*/, ''), [['mates-7', run.name]])
    expect(await winnow(...command.replace('npx winnow ', '').split(' ')), command).toMatchObject({ code: 0 })
  }
})
