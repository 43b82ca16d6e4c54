import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The password of this data folder's embedded ClickHouse: generated the first time, in a file that only its owner can read. */
export function clickHousePassword(stateFolder: string): string {
  const file = join(stateFolder, 'clickhouse-password')
  if (!existsSync(file)) writeFileSync(file, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
  return readFileSync(file, 'utf8').trim()
}
