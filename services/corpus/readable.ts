import type { DocumentId } from '../../schemas/index.ts'
import type { CorpusStore } from '../../topologies/corpus-store.ts'
import { type ReadText, readingTexts, type SealedText } from '../../topologies/texts.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { Log } from '../runtime/log.ts'
import { isSealed } from '../texts/envelope.ts'
import { erasedText, type Texts } from '../texts/texts.ts'

interface Stored {
  readonly store: Pick<CorpusStore, 'texts'>
  readonly texts: Pick<Texts, 'read'>
  readonly log: Log
}

/** `empty`: as a document without words, for who has counted on as many documents. */
type Erased = 'empty' | 'left out' | 'refused'

/**
 * The store's texts as they were ingested. @param erased what becomes of documents whose keys are destroyed
 * @throws WinnowError CONFIGURATION for one of them, if they are refused
 */
export const readable = ({ store, texts, log }: Stored, erased: Erased = 'empty'): Pick<CorpusStore, 'texts'> => ({
  texts: async (ids) => {
    const stored = [...(await store.texts(ids))].map(([docId, text]) => ({ docId, text }))
    const read = await texts.read(stored)
    const gone = stored.filter((_, i) => read[i] === null)
    if (gone.length > 0 && erased === 'refused')
      throw new WinnowError('CONFIGURATION', `document ${gone[0]!.docId} is erased: its text cannot be read any more`)
    if (gone.length > 0) log.warn({ documents: gone.length }, `erased documents, ${erased}`)
    return new Map<DocumentId, string>(
      stored.flatMap(({ docId }, i) => {
        const text: ReadText = read[i]!
        if (text === null) return erased === 'empty' ? [[docId, '']] : []
        return [[docId, text]]
      }),
    )
  },
})

/** What is shown of a document: its text, or why nobody here can read it. */
export async function shownText({ texts }: { readonly texts: Texts }, { docId, text }: SealedText): Promise<string> {
  if (isSealed(text) && texts.masterKeys === undefined) return '(encrypted: corpus.encryption names no keys here)'
  const [read] = await texts.readEach([{ docId, text }])
  if (read instanceof Error) return `(${read.message})`
  return read ?? erasedText
}

/** As `readingTexts`; how many documents were erased is in the log. */
export const readingStation = (
  station: string,
  { texts, log }: { readonly texts: Pick<Texts, 'readEach'>; readonly log: Log },
  build: Parameters<typeof readingTexts>[0],
): ReturnType<typeof readingTexts> =>
  readingTexts(build, {
    read: texts.readEach,
    onErased: (documents) => log.info({ station, documents }, 'erased documents, passed over'),
  })
