import { columnsOf } from '../../../topologies/corpus-store.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import { select } from '../../../topologies/selection/select.ts'
import type { Runtime } from '../../connections/connections.ts'
import { labelVersions } from '../../corpus/label-versions.ts'
import { countDocuments } from '../label-progress.ts'
import type { Problem } from './problem.ts'

/** Whether the corpus has labels of the run's versions, enough documents for its budget, and whether a first round could be selected. */
export async function checkCorpus(runtime: Runtime, run: RunConfig): Promise<Problem[]> {
  const actors = run.selection.actors.map(({ name }) => name)
  const versions = new Map(actors.map((name) => [name, run.labelers[name]!]))
  const missing: Problem[] = []
  for (const [actor, version] of versions) {
    const known = (await labelVersions(runtime.clickHouse.sql, actor)).filter(({ documents }) => documents > 0)
    if (known.some((one) => one.version === version)) continue
    const has = known.map((one) => `${one.version} (${one.documents.toLocaleString('en')})`).join(', ')
    missing.push({
      what: `no labels of ${actor} version ${version}; the corpus has ${has === '' ? 'none' : has}`,
      mend:
        has === ''
          ? `Ingest documents and run the labeler: winnow ingest FILES, winnow run labeler --actor ${actor}.`
          : `Set labelers.${actor} to a version that the corpus has, omit it for the one in force, or run that labeler: winnow run labeler --actor ${actor}.`,
    })
  }
  if (missing.length > 0) return missing
  const { documents, complete } = await countDocuments(runtime, versions)
  if (complete === 0)
    return [
      {
        what: `none of the ${documents} documents of the corpus is labelled by every actor yet`,
        mend: 'Wait until they are (winnow status), or start what is missing: winnow run labeler, winnow run label-sink.',
      },
    ]
  return await checkFirstRound(runtime, run)
}

/** Selects round 0 from the corpus as it is now, without writing anything. */
async function checkFirstRound({ store }: Runtime, run: RunConfig): Promise<Problem[]> {
  const { selection } = run
  const view = await store.view({ columns: columnsOf(run), labelOffsets: await store.committed(), readsOf: null })
  const held = { documents: 0, tokens: 0 }
  for (const group of await view.groups()) {
    held.documents += group.documents
    held.tokens += group.tokens
  }
  const { budget } = selection
  const [wanted, has, unit] =
    'documents' in budget ? [budget.documents, held.documents, 'documents'] : [budget.tokens, held.tokens, 'tokens']
  if (wanted > has)
    return [
      {
        what: `the budget of ${wanted.toLocaleString('en')} ${unit} is more than the ${has.toLocaleString('en')} that are labelled: every round would select the whole corpus`,
        mend: `Set selection.budget.${unit} below ${has}, or wait for more labels (winnow status), or ingest more.`,
      },
    ]
  const weights = selection.actors.map(({ initialWeights }) => initialWeights)
  const thetas = selection.actors.map(({ initialTheta }) => initialTheta)
  const decided = await select(view, selection, 0, weights, thetas)
  for await (const ids of decided.ids) if (ids.length > 0) return []
  return [
    {
      what: `round 0 would select none of the ${held.documents.toLocaleString('en')} documents`,
      mend: 'Check selection.budget and selection.strategy: pool and mixture may exclude everything.',
    },
  ]
}
