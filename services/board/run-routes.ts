import type { Run } from '../../schemas/index.ts'
import type { Runtime } from '../connections/connections.ts'
import { ledgerOf, readLedger } from '../runs/ledger.ts'
import { differencesOf, flat } from '../runs/run-settings.ts'
import { kindOf } from '../runs/run-state.ts'
import { stabilityOfRun } from '../runs/validation/stability.ts'
import { evaluated, PerRun } from './evaluations.ts'
import { runNamed, selectedRound } from './known.ts'
import { LostToDuplicates } from './lost.ts'
import type { BoardModel } from './model.ts'
import { type Get, NotFound, one } from './requests.ts'
import { Compositions, overlap, repeats } from './selections.ts'
import { describeStation } from './station-details.ts'
import { describeTopic } from './topic-details.ts'

/** What one run or two of them are, and what their rounds selected. */
export function serveRuns(get: Get, runtime: Runtime, model: BoardModel): void {
  const compositions = new Compositions(runtime)
  const evaluations = new PerRun((run) => evaluated(runtime, run))
  const stabilities = new PerRun((run) => stabilityOfRun(runtime, run))
  const lost = new LostToDuplicates(runtime)

  get('/api/runs/:run/configuration', async ({ run }) => {
    const { config, record } = runNamed(model, one(run)!)
    const { life, recordedMs, selectionVersion } = record
    const settings = [...flat(asWritten(record))].map(([key, value]) => ({ key, value }))
    return { run: config.name, kind: kindOf(record, config), life, recordedMs, selectionVersion, settings }
  })
  get('/api/differences', async ({ a, b }) => {
    const [here, there] = [a, b].map((name) => asWritten(runNamed(model, one(name) ?? '').record))
    return differencesOf(here, there)
  })
  get('/api/ledger', async ({ a, b }) => {
    const names = new Set([one(a) ?? '', one(b) ?? one(a) ?? ''])
    const configs = [...names].map((name) => runNamed(model, name).config)
    const work = await readLedger(runtime, configs)
    const { rows, ...together } = ledgerOf(work, configs)
    const totals = configs.map((config) => {
      const { rows: _, ...ofRun } = ledgerOf(work, [config])
      return { run: config.name, ...ofRun }
    })
    return { runs: totals, together, rows }
  })
  get('/api/runs/:run/stations/:station', async ({ run, station }) =>
    describeStation(runtime.kafka, runNamed(model, one(run)!), one(station)!, model.evalSets),
  )
  get('/api/runs/:run/evaluations', async ({ run }) => {
    const { config, model: followed } = runNamed(model, one(run)!)
    return await evaluations.of(config, [...followed.manifests.keys()].join())
  })
  get('/api/runs/:run/stability', async ({ run }) => {
    const { config, model: followed } = runNamed(model, one(run)!)
    const rounds = [...followed.manifests.keys()]
    return { pairs: rounds.length < 2 ? [] : await stabilities.of(config, rounds.join()) }
  })
  get('/api/runs/:run/rounds/:round/composition', async ({ run, round }) => {
    const followed = runNamed(model, one(run)!)
    return await compositions.of(followed, selectedRound(followed, one(round)!))
  })
  get('/api/runs/:run/rounds/:round/lost', async ({ run, round }) => {
    const followed = runNamed(model, one(run)!)
    return await lost.of(followed, selectedRound(followed, one(round)!))
  })
  get('/api/runs/:run/rounds/:round/repeats', async ({ run, round }) => {
    const followed = runNamed(model, one(run)!)
    const { manifests, positions } = followed.model
    const last = selectedRound(followed, one(round)!).round
    const upTo = [...manifests.values()].filter((each) => each.round <= last).sort((x, y) => x.round - y.round)
    const passed = upTo.map((each) => positions.get(each.round) ?? 0)
    return await repeats(runtime, upTo, passed)
  })
  get('/api/overlap', async ({ a, b }) => {
    const [ofA, ofB] = [runNamed(model, one(a) ?? ''), runNamed(model, one(b) ?? '')].map((run) => run.model.manifests)
    const both = [...ofA!.keys()].filter((round) => ofB!.has(round)).sort((x, y) => x - y)
    const rounds: object[] = []
    for (const round of both) rounds.push({ round, ...(await overlap(runtime, ofA!.get(round)!, ofB!.get(round)!)) })
    return rounds
  })
  get('/api/topics/:topic', async ({ topic }) => {
    if (!(await runtime.kafka.topicNames()).includes(one(topic)!)) throw new NotFound(`there is no topic ${one(topic)}`)
    return await describeTopic(runtime, one(topic)!)
  })
}

/** A run's configuration in the form of run.yaml, what was left out there filled in. */
const asWritten = ({ config }: Pick<Run, 'config'>): unknown => JSON.parse(config)
