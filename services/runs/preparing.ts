import { labelsOf } from '../../topologies/console/selecting.ts'
import { columnsOf } from '../../topologies/corpus-store.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { howFar } from '../corpus/how-far.ts'
import type { RunState, RunStateName } from './run-state.ts'

const waitsForCorpus: ReadonlySet<RunStateName> = new Set(['waiting for labels', 'sampling', 'selecting'])

/** A run's state with, if the corpus is still being sorted for its draws, how far that is: the log does not say it, ClickHouse does. */
export async function withPreparing(
  { store }: Pick<Runtime, 'store'>,
  config: RunConfig,
  state: RunState,
): Promise<RunState> {
  if (!waitsForCorpus.has(state.state)) return state
  // What the log says stands without it.
  const preparing = await store.preparing(labelsOf(config)).catch(() => undefined)
  if (preparing === undefined) return state
  const labels = columnsOf(config).map(({ actor, version }) => `${actor} ${version}`)
  return {
    ...state,
    waitsFor: `the corpus to be sorted for draws by ${labels.join(', ')}${howFar(preparing)}`,
  }
}
