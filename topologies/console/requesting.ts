import { type DocumentId, RewardRequest, type RoundOpened } from '../../schemas/index.ts'
import type { CorpusStore } from '../corpus-store.ts'
import { WinnowError } from '../errors.ts'
import type { Send } from '../node.ts'

/** Requests per send; with their texts they are the largest records of a run. */
const requestsPerSend = 200

/** Asks for the rewards of a round's samples. @throws WinnowError GUARANTEE_VIOLATED if the store has no text of one */
export async function requestRewards(
  send: Send,
  topic: string,
  opened: RoundOpened,
  store: Pick<CorpusStore, 'texts'>,
): Promise<void> {
  const wanted = opened.samples.flatMap(({ actor, docIds }) => docIds.map((docId) => ({ actor, docId })))
  for (let first = 0; first < wanted.length; first += requestsPerSend) {
    const some = wanted.slice(first, first + requestsPerSend)
    const texts = await store.texts([...new Set(some.map(({ docId }) => docId))])
    await send(
      some.map(({ actor, docId }) => ({
        topic,
        record: RewardRequest,
        key: docId.toString(),
        value: {
          run: opened.run,
          round: opened.round,
          actor,
          docId,
          text: textOf(texts, docId),
          checkpointPath: opened.checkpointPath ?? '',
          checkpointDigest: opened.checkpointDigest ?? '',
        } satisfies RewardRequest,
      })),
    )
  }
}

function textOf(texts: ReadonlyMap<DocumentId, string>, docId: DocumentId): string {
  const text = texts.get(docId)
  if (text !== undefined) return text
  throw new WinnowError('GUARANTEE_VIOLATED', `document ${docId} was sampled but has no text in the corpus store`)
}
