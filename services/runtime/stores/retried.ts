import { setTimeout as sleep } from 'node:timers/promises'
import { withRetries } from '../retry.ts'

const policy = { attemptsMax: 8, delayMsFirst: 250, delayMsMax: 30_000, sleep }

/** Asks a store again while it is away, for half a minute in all: as long as `resumed` waits for the bytes of an object. @throws as `work` */
export const retried = <T>(work: () => Promise<T>): Promise<T> => withRetries(policy, work, () => {})
