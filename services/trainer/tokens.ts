import type { DocumentId } from '../../schemas/index.ts'
import type { CorpusStore } from '../../topologies/corpus-store.ts'
import type { Model } from '../model/model.ts'
import type { TokenIds } from '../model/sequences.ts'
import { WinnowError } from '../runtime/errors.ts'

/** Documents whose texts are fetched at a time, one fetch ahead of the tokenizer. */
const documentsPerFetch = 64

/** Token ids of documents without end, in order; texts are fetched a page at a time. */
export async function* tokensOf(
  ids: AsyncIterable<DocumentId>,
  store: Pick<CorpusStore, 'texts'>,
  { tokenizer }: Pick<Model, 'tokenizer'>,
): AsyncGenerator<TokenIds> {
  let page: DocumentId[] = []
  for await (const id of ids) {
    page.push(id)
    if (page.length < documentsPerFetch) continue
    const texts = await store.texts(page)
    const missing = page.find((docId) => !texts.has(docId))
    if (missing !== undefined)
      throw new WinnowError('GUARANTEE_VIOLATED', `selected document ${missing} has no text in the corpus store`)
    yield* await tokenizer.encodeAll(page.map((docId) => texts.get(docId)!))
    page = []
  }
}
