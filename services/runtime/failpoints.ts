/**
 * Points between two effects of a station at which a fault test may end the process: "sent ActorState" comes after the broker has acknowledged
 * the record and before anything else. Outside such a test a call does nothing.
 */
export type Failpoint =
  /** A batch: received from the consumer; decoded; processed, with offsets not yet committed. */
  | 'polled'
  | 'decoded'
  | 'processed'
  /** The group's offsets are committed. */
  | 'committed offsets'
  /** Records of a type: before and after the send; in a transaction also before and after its commit (type of the last record). */
  | `${'sending' | 'sent' | 'committing' | 'committed'} ${string}`
  /** The trainer: before a step; with a checkpoint not yet reported; after the report. */
  | 'stepping'
  | 'checkpointed'
  | 'reported'
  /** A worker of a campaign: its claim is written; the result of a proxy is. */
  | 'claimed'
  | 'proxy finished'
  /** A port wrapped by a test: before and after each call. */
  | `${'store' | 'producer'} ${'before' | 'after'} ${string}`

let listener: (point: Failpoint) => void = () => {}

export const failpoint = (point: Failpoint): void => listener(point)

/** For the child processes of fault tests. */
export function listenAtFailpoints(listen: (point: Failpoint) => void): void {
  listener = listen
}
