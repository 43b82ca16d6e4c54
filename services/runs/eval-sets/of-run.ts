import { versionOf } from '../../../topologies/decontamination/sets.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { readEvalSets } from '../../host/eval-sets.ts'
import { readSamples, wholeText } from '../../model/reference.ts'
import { addEvalSet } from './record.ts'

/** As `winnow eval-set add` has them. */
export const ngramDefault = 13
export const shareDefault = 0.5

/**
 * Records the samples that a run is rewarded and evaluated by as evaluation sets, whole files: `run/NAME/reward`, `run/NAME/evaluation`. The same
 * again changes nothing, and samples that are a set already, for example of another run, are no second one: each is one more to compare with.
 * @returns names of those that are new
 */
export async function addSetsOfRun(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  { name, reference }: Pick<RunConfig, 'name' | 'reference'>,
): Promise<string[]> {
  const files = [
    { key: 'reward', path: reference.reward },
    ...(reference.moreRewards ?? []).map((path, i) => ({ key: `moreRewards.${i}`, path })),
    { key: 'evaluation', path: reference.evaluation },
  ]
  const added: string[] = []
  for (const { key, path } of files) {
    const items = (await readSamples(path, Number.POSITIVE_INFINITY)).map(wholeText)
    const set = { name: `run/${name}/${key}`, ngram: ngramDefault, share: shareDefault, items }
    const same = versionOf(set)
    if ((await readEvalSets(runtime)).active.some(({ version }) => version === same)) continue
    if (await addEvalSet(runtime, { ...set, by: `run ${name}`, origin: path })) added.push(set.name)
  }
  return added
}
