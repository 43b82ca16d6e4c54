import { WinnowError } from '../../runtime/errors.ts'
import { systemFailure } from '../../runtime/system-failure.ts'

/** An obstacle to a run, in a sentence, and its remedy. */
export interface Problem {
  readonly what: string
  readonly mend: string
  /** It is said, and does not keep the run from being recorded. */
  readonly isWarning?: boolean
}

/** Runs something that user input may make fail: such a failure becomes a problem. Any other error is rethrown. */
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
