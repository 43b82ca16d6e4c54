/** Milliseconds since the epoch; the only place that reads the machine's clock, so that everything timed can be tested. */
export type Clock = () => number

export const systemClock: Clock = () => Date.now()
