import { Work } from '../../schemas/index.ts'
import type { Output } from '../node.ts'
import { workKey } from './pieces.ts'

/** What a station needs to book its work. */
export interface Booking {
  /** Milliseconds. */
  readonly now: () => number
}

/** The result of something and how long it took; 0 seconds if nothing is booked. */
export async function timed<T>(
  booking: Booking | undefined,
  work: () => Promise<T>,
): Promise<{ value: T; seconds: number }> {
  const beganMs = booking?.now() ?? 0
  const value = await work()
  return { value, seconds: booking === undefined ? 0 : Math.max(0, booking.now() - beganMs) / 1000 }
}

/**
 * Writes work under its identity. Called after the effect that it was for is written and before the offsets that led to it are committed: a
 * kill in between repeats both.
 */
export async function bookWork(output: Pick<Output, 'send'>, topic: string, pieces: readonly Work[]): Promise<void> {
  await output.send(pieces.map((value) => ({ topic, record: Work, key: workKey(value), value })))
}
