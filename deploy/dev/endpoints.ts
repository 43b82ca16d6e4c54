import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { identityOf, isAlive } from './process-identity.ts'

/** The addresses of a running `winnow dev`, for a second terminal. */
export interface Endpoints {
  brokers: string[]
  registryUrl: string
  clickhouseUrl: string
  pid: number
}

const fileOf = (dataFolder: string): string => join(dataFolder, 'endpoints.json')

/** The endpoints of the instance that runs on this data folder now; undefined if none does (a leftover file counts as none). */
export function readEndpoints(dataFolder: string): Endpoints | undefined {
  try {
    const { started, ...endpoints } = JSON.parse(readFileSync(fileOf(dataFolder), 'utf8')) as Endpoints & {
      started: string
    }
    return isAlive({ pid: endpoints.pid, started }) ? endpoints : undefined
  } catch {
    return undefined
  }
}

/** Records the endpoints of this process. Addresses may contain passwords, so only the owner can read the file. */
export function writeEndpoints(dataFolder: string, endpoints: Omit<Endpoints, 'pid'>): void {
  const file = fileOf(dataFolder)
  const text = JSON.stringify({ ...endpoints, ...identityOf(process.pid) }, null, 2)
  writeFileSync(`${file}.new`, `${text}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

export function removeEndpoints(dataFolder: string): void {
  rmSync(fileOf(dataFolder), { force: true })
}
