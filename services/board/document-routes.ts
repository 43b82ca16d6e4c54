import { z } from 'zod'
import type { DocumentId } from '../../schemas/index.ts'
import { parseId } from '../../topologies/selection/u64.ts'
import type { Runtime } from '../connections/connections.ts'
import { listsNow } from '../corpus/exclusions.ts'
import { idsMax } from '../corpus/search.ts'
import { explainDocument } from '../runs/explain.ts'
import { type DocumentQuestion, DocumentSearch } from './documents.ts'
import { runNamed, selectedRound } from './known.ts'
import type { BoardModel, FollowedRun } from './model.ts'
import { BadRequest, type Get, NotFound, one, type Parameters, parsed } from './requests.ts'
import { selectedIds } from './selections.ts'
import { termsMax, termsOf } from './terms.ts'

const pageMax = 100
const selectedShown = 10

const pageRequest = z.object({
  by: z.enum(['any', 'id', 'text', 'source'], 'by must be any, id, text or source').default('any'),
  offset: z.coerce.number('offset must be a number').int().min(0).max(1e9).default(0),
  count: z.coerce.number('count must be a number').int().min(1).max(pageMax).default(30),
})

/** Documents: search, a round's selection, and why a document was selected or not. */
export function serveDocuments(get: Get, runtime: Runtime, model: BoardModel): void {
  const search = new DocumentSearch(runtime, () => model.sources)

  get('/api/documents', async (given) => {
    const words = one(given.q)?.trim() ?? ''
    const { by, ...page } = parsed(pageRequest, given)
    if (termsOf(words).length > termsMax) throw new BadRequest(`more than ${termsMax} words: use fewer`)
    if (by !== 'id') return await search.find({ words, by, ...page, ...(await filtersOf(given)) })
    const documents = await search.byId([idOf(words)])
    return { total: documents.length, complete: true, offset: 0, documents }
  })

  get('/api/exclusions', async () => await listsNow(runtime.clickHouse.sql))

  get('/api/runs/:run/rounds/:round/documents', async ({ run, round }) => {
    const manifest = selectedRound(runNamed(model, one(run)!), one(round)!)
    return await search.byId(await selectedIds(runtime, manifest, selectedShown))
  })

  get('/api/runs/:run/documents/:id', async ({ run, id }) => {
    const docId = idOf(one(id)!)
    const explained = await explainDocument(runtime, runNamed(model, one(run)!).config, docId)
    if (explained === undefined) throw new NotFound(`the corpus has no document ${one(id)}`)
    return explained
  })

  async function filtersOf({ run, round, label }: Parameters): Promise<Pick<DocumentQuestion, 'labels' | 'ids'>> {
    const wanted = label === undefined ? [] : typeof label === 'string' ? [label] : label
    if (wanted.length === 0 && round === undefined) return {}
    if (run === undefined) throw new BadRequest('label and round need a run: add run=NAME')
    const followed = runNamed(model, one(run)!)
    const labels = wanted.map((name) => labelOf(followed, name))
    // A run may be asked about before the first label of one of its actors.
    for (const { column } of labels) await runtime.store.ensureColumns(column.actor, column.version)
    if (round === undefined) return { labels }
    return { labels, ids: await selectedIds(runtime, selectedRound(followed, one(round)!), idsMax) }
  }
}

/** @param name the names of actor and subcategory, joined by / */
function labelOf({ config }: FollowedRun, name: string): NonNullable<DocumentQuestion['labels']>[number] {
  const at = name.indexOf('/')
  const actor = config.selection.actors.find((one) => one.name === name.slice(0, at))
  const subcategory = actor?.subcategories.indexOf(name.slice(at + 1)) ?? -1
  const version = actor && config.labelers[actor.name]
  if (actor === undefined || version === undefined || subcategory === -1)
    throw new NotFound(`run ${config.name} has no label ${name}: labels are written ACTOR/SUBCATEGORY`)
  return { column: { actor: actor.name, version }, subcategory }
}

function idOf(text: string): DocumentId {
  const id = parseId(text)
  if (id === null) throw new NotFound(`${text} is not a document id: ids are 64-bit whole numbers`)
  return id
}
