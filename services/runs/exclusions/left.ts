import type { Runtime } from '../../connections/connections.ts'
import { ClickHouseTextKeys } from '../../corpus/text-keys.ts'

/** What erasures have left, since they were cut off or are going on. */
export interface ErasuresLeft {
  /** Documents that are out by a request for erasure, and whose texts can still be read. */
  readonly documents: number
  /** The requests that name one of them, ascending. */
  readonly requests: readonly string[]
}

/** As all replicas have it. */
export async function leftOfErasures(keys: ClickHouseTextKeys): Promise<ErasuresLeft> {
  const left = await keys.keptThoughErased()
  return { documents: left.length, requests: await keys.requestsOf(left) }
}

/** As the replica that is asked has it where that has nothing left: for most there is nothing to wait for. */
export async function lookForErasuresLeft({ clickHouse }: Pick<Runtime, 'clickHouse'>): Promise<ErasuresLeft> {
  const keys = new ClickHouseTextKeys(clickHouse.sql)
  return (await keys.countKeptThoughErased()) === 0 ? { documents: 0, requests: [] } : await leftOfErasures(keys)
}

/** The commands that finish them. */
export const finishing = ({ requests }: Pick<ErasuresLeft, 'requests'>): string =>
  requests.map((request) => `winnow erase ${request}`).join(', ')

export const leftInWords = (left: ErasuresLeft): string =>
  `${left.documents} erased ${left.documents === 1 ? 'text' : 'texts'} can still be read, as an erasure was cut off or is going on: ${finishing(left)} finishes it`
