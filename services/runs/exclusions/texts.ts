import type { DocumentId } from '../../../schemas/index.ts'
import type { Runtime } from '../../connections/connections.ts'
import { ClickHouseTextKeys } from '../../corpus/text-keys.ts'
import { WinnowError } from '../../runtime/errors.ts'

/** What has become of the encrypted texts of a request's documents. */
export interface ErasedTexts {
  /** Documents whose texts are encrypted; those of the others stay readable. */
  readonly encrypted: number
  readonly keysDestroyed: number
  /**
   * Epochs whose master keys are still in the file, and had begun when the documents were taken out: a copy of ClickHouse from before then can
   * be read with them. null: it is not known, since this process has no file.
   */
  readonly masterKeysLeft: readonly number[] | null
}

type Ports = Pick<Runtime, 'clickHouse' | 'texts'>

/** Destroys the keys of documents. Their exclusions must be in ClickHouse: by them a destroyed key is told from one that was lost. */
export const destroyTexts = ({ clickHouse }: Ports, ids: readonly DocumentId[]): Promise<void> =>
  new ClickHouseTextKeys(clickHouse.sql).destroy(ids)

/** @param lastMs when the last of these documents was taken out. @returns undefined if none of the texts is encrypted */
export async function erasedTexts(
  { clickHouse, texts }: Ports,
  ids: readonly DocumentId[],
  lastMs: number,
): Promise<ErasedTexts | undefined> {
  const keys = new ClickHouseTextKeys(clickHouse.sql)
  const encrypted = await keys.sealed(ids)
  if (encrypted.length === 0) return undefined
  const kept = await keys.kept(encrypted)
  const masterKeysLeft = texts.masterKeys?.begunBy(lastMs) ?? null
  return { encrypted: encrypted.length, keysDestroyed: encrypted.length - kept.length, masterKeysLeft }
}

/** @throws WinnowError CONFIGURATION if the texts of some of these documents can be read by nobody any more */
export async function assertReadable({ clickHouse }: Ports, ids: readonly DocumentId[]): Promise<void> {
  const gone = await new ClickHouseTextKeys(clickHouse.sql).destroyed(ids)
  if (gone.length === 0) return
  throw new WinnowError(
    'CONFIGURATION',
    `the keys of ${gone.length} of the documents are destroyed, such as ${gone[0]}`,
    {
      hint: 'Their texts cannot be read any more, so they cannot be taken back in. Ingest their rows again, in a file of another name.',
    },
  )
}
