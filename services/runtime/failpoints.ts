/**
 * Places between two effects of a station, at which a fault test may end the process: "sent ActorState" comes after the broker has the
 * record and before anything else. Outside of such a test nobody listens and a call does nothing.
 */
export type Failpoint =
  /** A batch: given by the consumer; decoded; done with, its offsets not yet committed. */
  | 'polled'
  | 'decoded'
  | 'processed'
  /** The group's offsets are committed. */
  | 'committed offsets'
  /** Records of a type: before and after the send, and, of those in a transaction, before and after its commit (the last record's type). */
  | `${'sending' | 'sent' | 'committing' | 'committed'} ${string}`
  /** The trainer: before a step, with a checkpoint that is not yet reported, after the report. */
  | 'stepping'
  | 'checkpointed'
  | 'reported'
  /** A port that a test has wrapped: before and after each of its calls. */
  | `${'store' | 'producer'} ${'before' | 'after'} ${string}`

let listener: (point: Failpoint) => void = () => {}

export const failpoint = (point: Failpoint): void => listener(point)

/** For the child processes of fault tests. */
export function listenAtFailpoints(listen: (point: Failpoint) => void): void {
  listener = listen
}
