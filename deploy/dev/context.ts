import type { WinnowError } from '../../services/runtime/errors.ts'
import type { Log } from '../../services/runtime/log.ts'
import type { ProcessIdentity } from './process-identity.ts'

/** A data folder in use, and how to start things in it. */
export interface ClusterContext {
  /** Everything of the cluster lies here. */
  stateFolder: string
  fresh: boolean
  env: NodeJS.ProcessEnv
  log: Log
  /** Tells a person who waits. */
  progress: (line: string) => void
  /** Aborts a start. */
  signal: AbortSignal | undefined
  /** A part has ended for good. */
  onFailure: (error: WinnowError) => void
  /** Records a process so that the next start ends it, should this one be killed. */
  remember(identity: ProcessIdentity): void
}

/** A broker and a registry, whichever way they were got. */
export interface Kafka {
  /** For a person: which way it was. */
  kind: string
  brokers: string[]
  registryUrl: string
  /** As they are now: a program that ended by itself was started again. */
  readonly pids: number[]
  stop(): Promise<void>
}

/** Waits for all also when one fails, so that whatever did start is stopped before the error goes on. */
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
