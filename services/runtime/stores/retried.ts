import { setTimeout as sleep } from 'node:timers/promises'
import { withRetries } from '../retry.ts'
import { defaultResume, delayMsMax } from './resumed.ts'

const { failuresMax: attemptsMax, delayMsFirst } = defaultResume
const policy = { attemptsMax, delayMsFirst, delayMsMax, sleep }

/** Asks a store again while it is away, for half a minute in all: as long as `resumed` waits for the bytes of an object. @throws as `work` */
export const retried = <T>(work: () => Promise<T>): Promise<T> => withRetries(policy, work, () => {})
