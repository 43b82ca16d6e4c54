import { type DocumentId, Exclusion, type Manifest, topics } from '../../../schemas/index.ts'
import type { Runtime } from '../../connections/connections.ts'
import { excludedBy, partitionsOf } from '../../corpus/exclusions.ts'
import { type Clock, systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { type ReadingsOfRun, readingsOf } from '../exposure/readings.ts'
import { readManifests } from '../recorded.ts'
import { listRuns } from '../registry.ts'
import { recordsPerSend } from './lift.ts'
import { type ErasedTexts, erasedTexts } from './texts.ts'

const requestName = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$/

/** The list of a request for erasure. */
export function erasureList(name: string): string {
  if (requestName.test(name)) return `erasure/${name}`
  throw new WinnowError('CONFIGURATION', `${JSON.stringify(name)} is no name of a request`, {
    hint: 'Letters, digits, dots, slashes, underscores and hyphens, at most 100.',
  })
}

/**
 * Records that documents take part in no selection any more, from the next round on. The same again changes nothing.
 * @returns ids that the corpus does not have: of these nothing is recorded
 */
export async function eraseDocuments(
  { kafka, codec, clickHouse }: Pick<Runtime, 'kafka' | 'codec' | 'clickHouse'>,
  { name, ids, by }: { readonly name: string; readonly ids: readonly DocumentId[]; readonly by: string },
  clock: Clock = systemClock,
): Promise<DocumentId[]> {
  const list = erasureList(name)
  const partitions = await partitionsOf(clickHouse.sql, ids)
  await using opened = new AsyncDisposableStack()
  const producer = opened.adopt(await kafka.producer(), (one) => one.close())
  const known = ids.filter((id) => partitions.has(id))
  for (let first = 0; first < known.length; first += recordsPerSend) {
    const records = known.slice(first, first + recordsPerSend).map((docId) => {
      const what = { docId, list, reason: 'erasure', excluded: true, by } as const
      const value = codec.encode(Exclusion, { ...what, recordedMs: clock(), contained: null })
      return { topic: topics.exclusions.name, partition: partitions.get(docId)!, key: `${docId}`, value }
    })
    await producer.send(records)
  }
  return ids.filter((id) => !partitions.has(id))
}

/** What a request has come to in a run. */
export interface ErasedInRun extends Omit<ReadingsOfRun, 'run'> {
  readonly run: string
  /** The first of its rounds that none of the documents takes part in; null: there was none since, the next one it is. */
  readonly outFromRound: number | null
}

export interface Receipt {
  readonly request: string
  readonly atMs: number
  /** Documents that are out by this request, ids ascending, with who wanted it and when. */
  readonly documents: readonly { readonly docId: DocumentId; readonly by: string; readonly recordedMs: number }[]
  /** All runs that have selected, but for replays. */
  readonly runs: readonly ErasedInRun[]
  /** Left out where no text is encrypted. */
  readonly texts?: ErasedTexts
}

/** Which runs and checkpoints had read the documents of a request, in which rounds and at which places, and since when they are out. */
export async function receiptOf(
  runtime: Pick<Runtime, 'kafka' | 'codec' | 'clickHouse' | 'texts'>,
  name: string,
  clock: Clock = systemClock,
): Promise<Receipt> {
  const documents = await excludedBy(runtime.clickHouse.sql, erasureList(name))
  const recorded = [...(await listRuns(runtime)).values()].filter(({ replayOf }) => replayOf === null)
  const names = recorded.map(({ run }) => run)
  const ids = documents.map(({ value: { docId } }) => docId)
  const readings = new Map((await readingsOf(runtime, ids, names)).map((one) => [one.run, one]))
  const runs: ErasedInRun[] = []
  for (const run of names) {
    const manifests = await readManifests(runtime, run)
    if (manifests.length === 0) continue
    const isOut = ({ labelOffsets }: Manifest) =>
      documents.every(({ partition, offset }) =>
        labelOffsets.some(
          (place) =>
            place.topic === topics.exclusions.name && place.partition === partition && place.offsetNext > offset,
        ),
      )
    const outFromRound = manifests.find(isOut)?.round ?? null
    runs.push({ readings: [], checkpoints: [], ...readings.get(run), run, outFromRound })
  }
  const texts = await erasedTexts(runtime, ids, Math.max(0, ...documents.map(({ value }) => value.recordedMs)))
  return {
    ...{ request: name, atMs: clock() },
    ...(texts && { texts }),
    documents: documents.map(({ value: { docId, by, recordedMs } }) => ({ docId, by, recordedMs })),
    runs,
  }
}
