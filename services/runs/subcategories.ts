import type { SubcategoryMapping } from '../../schemas/index.ts'
import { subcategoryMapping, type WantedSubcategories } from '../../topologies/rounds/subcategories.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { WinnowError } from '../runtime/errors.ts'
import { readChanges, runBefore } from './actor-changes.ts'
import { corpusComposition } from './composition.ts'
import { readManifests } from './recorded.ts'

/**
 * How subcategories of an actor of a live run become those of other labels.
 * @param run as it was recorded
 * @returns null: they stay the same
 * @throws WinnowError CONFIGURATION if the run has no such actor, or some of its subcategories are not accounted for
 */
export async function wantedMapping(
  runtime: Runtime,
  run: RunConfig,
  actor: string,
  after: readonly string[],
  wanted: WantedSubcategories,
): Promise<SubcategoryMapping | null> {
  const found = await readChanges(runtime, run)
  const { actors } = runBefore(found, actor).selection
  const before = actors.find(({ name }) => name === actor)?.subcategories
  if (before === undefined)
    throw new WinnowError('CONFIGURATION', `run ${run.name} has no actor ${actor}`, {
      hint: `Its actors: ${actors.map(({ name }) => name).join(', ')}.`,
    })
  const isPlain = [wanted.split, wanted.merged, wanted.retired].every(({ length }) => length === 0)
  if (isPlain && before.join('\n') === after.join('\n')) return null
  const documents = wanted.merged.length === 0 ? undefined : await documentsSeen(runtime, run, actor)
  const mapping = subcategoryMapping(before, after, wanted, (name) => documents?.get(name) ?? 0)
  if ('origins' in mapping) return mapping
  throw new WinnowError('CONFIGURATION', `actor ${actor} of run ${run.name}: ${mapping.problems.join('; ')}`, {
    hint: 'Names that stay need no word; winnow run relabel-actor --help.',
  })
}

/** How many documents of each subcategory the last selection saw. */
async function documentsSeen(runtime: Runtime, run: RunConfig, actor: string): Promise<ReadonlyMap<string, number>> {
  const manifest = (await readManifests(runtime, run.name)).at(-1)
  if (manifest === undefined)
    throw new WinnowError('CONFIGURATION', `run ${run.name} has selected nothing yet: nothing weighs what is merged`, {
      hint: 'Merge subcategories once its first selection is there: winnow run show.',
    })
  const { configuration } = await readChanges(runtime, run)
  const ofRound = configuration.at(manifest.round)
  const counts = await corpusComposition(runtime, ofRound, manifest)
  const a = ofRound.selection.actors.findIndex(({ name }) => name === actor)
  return new Map(ofRound.selection.actors[a]?.subcategories.map((name, j) => [name, counts[a]![j]!]))
}
