import { WinnowError } from '../../runtime/errors.ts'
import { systemFailure } from '../../runtime/system-failure.ts'

/** What stands in the way of a run, in a sentence, and what mends it. */
export interface Problem {
  readonly what: string
  readonly mend: string
}

/** Does something that may fail as things of a user fail: the failure is a problem. A fault of our own goes on. */
export async function problemOf(work: () => Promise<unknown>, mend: string): Promise<Problem[]> {
  try {
    await work()
    return []
  } catch (error) {
    const known = error instanceof WinnowError ? error : systemFailure(error)
    if (known === undefined) throw error
    return [{ what: known.message.replace(/\.$/, ''), mend: sentence(known.hint ?? mend) }]
  }
}

const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
