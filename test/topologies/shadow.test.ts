import { describe, expect, test } from 'vitest'
import { Evaluation, Manifest, runTopics } from '../../schemas/index.ts'
import { type Ports, shadowStations } from '../../topologies/dataflow.ts'
import { type InMemoryDriver, selectionOf } from '../../topologies/driver.ts'
import type { Output } from '../../topologies/node.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { runLoop, tinyRun } from './loop.ts'

const more = { sampleDocuments: 15 }
const shadowed = (leader: RunConfig, selection: object = {}): RunConfig => ({
  ...leader,
  name: 'shadow',
  shadowOf: leader.name,
  selection: { ...leader.selection, ...selection },
})

type BuildOutput = (output: Output) => Output
const asItIs: BuildOutput = (output) => output

async function start(driver: InMemoryDriver, shared: Ports, leader: RunConfig, run: RunConfig, made = asItIs) {
  const ports = { ...shared, console: { ...shared.console, onEvent: () => {} } }
  for (const station of shadowStations(run, leader))
    await driver.start({ ...station, name: `${run.name} ${station.name}` }, (output) =>
      station.build(ports, made(output)),
    )
}

const valuesOf = <T>(driver: InMemoryDriver, run: string, record: { name: string }): T[] =>
  driver
    .records(runTopics(run).consoleState.name)
    .filter((one) => one.record === record.name)
    .map(({ value }) => value as T)

/** What does not depend on partitions. */
const decided = ({ round, theta, weights, actorRewards, selectionDigest, threshold }: Manifest) => ({
  ...{ round, theta, weights, actorRewards, selectionDigest, threshold },
})

/** A manifest without the names of its run and of its place in the stream. */
const bits = ({ run: _, ...manifest }: Manifest) => manifest

describe('a shadow', () => {
  test.each([
    {},
    { holdOut: 0.4 },
    { repeat: 'exclude' },
    { repetitionDecay: 0.5, holdOut: 0.3 },
    { collaboration: 'joint', joint: { ridge: 1, weighting: 'answers', cells: { shrinkage: 5, eta: 0.5 } } },
    { strategy: { score: { kind: 'actors' }, sampler: { kind: 'gumbel', temperature: 0.5 } } },
  ])(
    'of the configuration of its leader, %j, makes the same selections and evaluations to the bit',
    async (selection) => {
      const leader = tinyRun(selection, more)
      const run = shadowed(leader)
      const { driver, manifests } = await runLoop(leader, undefined, 3, leader.steps, {
        1: (on, ports) => start(on, ports, leader, run),
      })
      const own = valuesOf<Manifest>(driver, 'shadow', Manifest)
      expect(own).toHaveLength(4)
      expect(own.map(bits)).toEqual(manifests.map(bits))
      const evaluations = (name: string) =>
        valuesOf<Evaluation>(driver, name, Evaluation).map(({ run: _, ...evaluation }) => evaluation)
      expect(evaluations('shadow')).toEqual(evaluations(leader.name))
    },
  )

  test('folds the rewards of its leader by its own settings, and leaves out what the trainer has read of the leader’s selections', async () => {
    const leader = tinyRun({ holdOut: 0.3 }, more)
    const run = shadowed(leader, { repeat: 'exclude', update: 'additive' })
    const { driver, manifests } = await runLoop(leader, undefined, 3, leader.steps, {
      2: (on, ports) => start(on, ports, leader, run),
    })
    const own = valuesOf<Manifest>(driver, 'shadow', Manifest)
    expect(own.map(({ round }) => round)).toEqual([0, 1, 2, 3])
    const idsOf = (manifest: Manifest) =>
      selectionOf(manifest, driver.records(runTopics(manifest.run).selections.name)).map(String)
    for (const manifest of own.slice(1)) {
      // The trainer reports that it has read 7 documents of each.
      const read = manifests.slice(0, manifest.round).flatMap((earlier) => idsOf(earlier).slice(0, 7))
      expect(idsOf(manifest).filter((id) => read.includes(id))).toEqual([])
      expect(manifest.weights).not.toEqual(manifests[manifest.round]!.weights)
    }
    // Its theta follows its own, not its leader's.
    expect(own[2]!.theta).not.toEqual(manifests[2]!.theta)
    expect(valuesOf(driver, 'shadow', Evaluation)).toHaveLength(3)
    // The leader is as it would have been alone.
    const alone = await runLoop(leader)
    expect(manifests).toEqual(alone.manifests)
  })

  test('is the same whatever the order of delivery, and wherever its stations are killed', async () => {
    const leader = tinyRun({ holdOut: 0.3, repeat: 'exclude' }, more)
    const run = shadowed(leader, { repetitionDecay: 0.2, update: 'additive' })
    const once = await runLoop(leader)
    await start(once.driver, once.ports, leader, run)
    await once.driver.run()
    const expected = valuesOf<Manifest>(once.driver, 'shadow', Manifest).map(decided)
    const worth = valuesOf<Evaluation>(once.driver, 'shadow', Evaluation)
    expect(expected).toHaveLength(4)
    let kills = 0
    for (let writes = 1; writes < 12; writes++) {
      const { driver, ports } = await runLoop(
        leader,
        writes % 2 === 0 ? (choices) => choices - 1 : undefined,
        1 + (writes % 3),
      )
      // Every station dies again and again: with its first writes after a start, before them or after them.
      const dying = (before: boolean, limit: number): BuildOutput => {
        let left = limit
        const counted = async <T>(write: () => Promise<T>): Promise<T> => {
          const dies = left-- === 0
          if (dies && before) throw new Error('killed')
          const written = await write()
          if (dies) throw new Error('killed')
          return written
        }
        return (output) => ({
          ...output,
          send: (records) => counted(() => output.send(records)),
          transaction: (work) => counted(() => output.transaction(work)),
        })
      }
      for (let attempt = 0; ; attempt++) {
        await start(
          driver,
          ports,
          leader,
          run,
          dying(attempt % 2 === 0, Math.min(writes + Math.floor(attempt / 8), 1000)),
        )
        const killed = await driver.run().then(
          () => false,
          (error: Error) => {
            if (error.message !== 'killed') throw error
            return true
          },
        )
        if (!killed) break
        kills++
      }
      const manifests = new Map(valuesOf<Manifest>(driver, 'shadow', Manifest).map((one) => [one.round, one]))
      expect([...manifests.values()].map(decided)).toEqual(expected)
      const evaluations = new Map(valuesOf<Evaluation>(driver, 'shadow', Evaluation).map((one) => [one.round, one]))
      expect([...evaluations.values()]).toEqual(worth)
    }
    expect(kills).toBeGreaterThan(30)
  })
})
