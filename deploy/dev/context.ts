import type { WinnowError } from '../../services/runtime/errors.ts'
import type { Log } from '../../services/runtime/log.ts'
import type { ProcessIdentity } from './process-identity.ts'

/** A data folder in use, and how to start things in it. */
export interface ClusterContext {
  /** Everything of the cluster is here. */
  stateFolder: string
  fresh: boolean
  env: NodeJS.ProcessEnv
  log: Log
  /** Reports progress to the user. */
  progress: (line: string) => void
  /** Aborts a start. */
  signal: AbortSignal | undefined
  /** Called when a part has ended for good. */
  onFailure: (error: WinnowError) => void
  /** Records a process, so that the next start ends it if this process is killed. */
  remember(identity: ProcessIdentity): void
}

/** A running broker and registry. */
export interface Kafka {
  /** How they were started, for display. */
  kind: string
  brokers: string[]
  registryUrl: string
  /** The current processes: a program that ended is restarted. */
  readonly pids: number[]
  stop(): Promise<void>
}

/** Waits for all even if one fails, so that what did start is stopped before the error is thrown. */
export async function allOrStop<Parts extends readonly { stop(): Promise<unknown> }[]>(
  starting: {
    [Index in keyof Parts]: Promise<Parts[Index]>
  },
): Promise<Parts> {
  const results = await Promise.allSettled(starting)
  const failed = results.find((result) => result.status === 'rejected')
  const started = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value as Parts[number]] : []))
  if (failed) {
    await Promise.allSettled(started.map((part) => part.stop()))
    throw failed.reason
  }
  return started as unknown as Parts
}
