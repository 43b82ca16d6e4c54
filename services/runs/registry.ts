import { Run, topics } from '../../schemas/index.ts'
import { parseRunConfig, type RunConfig, runConfigJson } from '../../topologies/run-config.ts'
import { checkSelectionVersion, selectionVersion } from '../../topologies/selection/version.ts'
import type { Runtime } from '../connections/connections.ts'
import { readable } from '../runtime/codec.ts'
import { WinnowError } from '../runtime/errors.ts'

/** Records a run. The same run again is the same record; another configuration under its name is refused. */
export async function submitRun(runtime: Runtime, run: RunConfig, replayOf: string | null = null): Promise<void> {
  const known = (await listRuns(runtime)).get(run.name)
  const config = runConfigJson(run)
  if (known !== undefined && known.config !== config) {
    throw new WinnowError('CONFIGURATION', `run ${run.name} exists with another configuration`, {
      hint: `A run is never changed: give the new one another name (${run.name} as it is: winnow run list --json).`,
    })
  }
  if (known !== undefined) checkSelectionVersion(known)
  if (known !== undefined && known.replayOf !== replayOf) {
    const what = known.replayOf === null ? 'a run of its own' : `a replay of ${known.replayOf}`
    throw new WinnowError('CONFIGURATION', `${run.name} exists and is ${what}`, { hint: 'Choose another name.' })
  }
  if (known !== undefined) return
  await using opened = new AsyncDisposableStack()
  const producer = opened.adopt(await runtime.kafka.producer(), (one) => one.close())
  const value = runtime.codec.encode(Run, { run: run.name, config, replayOf, selectionVersion })
  await producer.send([{ topic: topics.runs.name, key: run.name, value }])
}

/** All recorded runs by name; what is no record is passed over. */
export async function listRuns(runtime: Runtime): Promise<Map<string, Run>> {
  const runs = new Map<string, Run>()
  for await (const records of runtime.kafka.read(topics.runs.name)) {
    for (const { value } of records) {
      if (value === null) continue
      const run = await readable(() => runtime.codec.decodeAs(Run, value))
      if (run !== undefined) runs.set(run.run, run)
    }
  }
  return runs
}

/** @throws WinnowError CONFIGURATION where there is none of that name, or it selects by another version of SELECTION.md */
export async function runNamed(runtime: Runtime, name: string): Promise<RunConfig> {
  const runs = await listRuns(runtime)
  const run = runs.get(name)
  if (run === undefined) {
    throw new WinnowError('CONFIGURATION', `there is no run ${name}`, {
      hint: `Runs: ${[...runs.keys()].join(', ') || 'none'}.`,
    })
  }
  checkSelectionVersion(run)
  return parseRunConfig(JSON.parse(run.config))
}
