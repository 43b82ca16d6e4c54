import type { Runtime } from '../../connections/connections.ts'
import { ClickHouseTextKeys } from '../../corpus/text-keys.ts'

/** What erasures have left, since they were cut off or are going on. */
export interface ErasuresLeft {
  /** Documents that are out by a request for erasure, and whose texts can still be read. */
  readonly documents: number
  /** The requests that name one of them, ascending. */
  readonly requests: readonly string[]
}

export async function leftOfErasures({ clickHouse }: Pick<Runtime, 'clickHouse'>): Promise<ErasuresLeft> {
  const keys = new ClickHouseTextKeys(clickHouse.sql)
  // Without waiting for replicas, as for most there is nothing to wait for.
  if ((await keys.countKeptThoughErased()) === 0) return { documents: 0, requests: [] }
  const left = await keys.keptThoughErased()
  return { documents: left.length, requests: await keys.requestsOf(left) }
}

export const leftInWords = ({ documents, requests }: ErasuresLeft): string =>
  `${documents} erased ${documents === 1 ? 'text' : 'texts'} can still be read, as an erasure was cut off or is going on: ${requests.map((request) => `winnow erase ${request}`).join(', ')} finishes it`
