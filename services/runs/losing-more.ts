import { losingMore } from '../../topologies/duplicates/losses.ts'
import type { Runtime } from '../connections/connections.ts'
import { duplicateLosses, type NamedLoss } from '../corpus/duplicate-losses.ts'
import { formatFixed } from '../terminal/table.ts'
import type { lookAtRuns } from './followed-run.ts'

/** Sources that lose more than their share to near duplicates, in the last selections of runs that limit them. */
export async function sourcesLosingMore(
  runtime: Runtime,
  looked: Awaited<ReturnType<typeof lookAtRuns>>,
): Promise<LosingMore[]> {
  const found: LosingMore[] = []
  for (const { run, state } of looked) {
    const { config, view } = run
    if (state.state === 'replay' || view.lastManifest === undefined) continue
    const { round } = view.lastManifest
    const losses = await duplicateLosses(runtime, view.configurationOf(config).at(round), view.lastManifest)
    const sources = losingMore(losses ?? [])
    if (sources.length > 0) found.push({ run: config.name, round, sources })
  }
  return found
}

export interface LosingMore {
  readonly run: string
  readonly round: number
  readonly sources: readonly NamedLoss[]
}

/** Named on the line; the command that it names has all. */
const namedMax = 3

export function losingInWords({ run, round, sources }: LosingMore): string {
  const named = sources
    .slice(0, namedMax)
    .map(({ name, source, ratio }) => `${name ?? `source ${source}`} (${formatFixed(ratio, 2)} times its share)`)
  const more = sources.length > namedMax ? ` and ${sources.length - namedMax} more` : ''
  return `${run} round ${round}: ${named.join(', ')}${more} ${sources.length === 1 ? 'loses' : 'lose'} more than ${sources.length === 1 ? 'its' : 'their'} share to near duplicates: winnow run lost ${run}`
}
