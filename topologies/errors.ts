/** Exit codes of every winnow program (docs: README, "Exit codes"). */
export const exitCodes = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  configuration: 3,
  unreachable: 4,
  badData: 5,
  guarantee: 6,
  interrupted: 130,
} as const

/** The list of error codes: stable names, the exit code of a program that ends with it, and whether a retry may help. */
export const errorCodes = {
  UNEXPECTED: { exit: exitCodes.unexpected, retriable: false },
  USAGE: { exit: exitCodes.usage, retriable: false },
  CONFIGURATION: { exit: exitCodes.configuration, retriable: false },
  UNREACHABLE: { exit: exitCodes.unreachable, retriable: true },
  STORAGE_FULL: { exit: exitCodes.unreachable, retriable: false },
  BAD_DATA: { exit: exitCodes.badData, retriable: false },
  NORMALIZATION: { exit: exitCodes.badData, retriable: false },
  SCHEMA_INCOMPATIBLE: { exit: exitCodes.configuration, retriable: false },
  MODEL_UNUSABLE: { exit: exitCodes.configuration, retriable: false },
  CHECKPOINT_INCOMPLETE: { exit: exitCodes.badData, retriable: true },
  DATA_FOLDER_LOCKED: { exit: exitCodes.configuration, retriable: true },
  POSITION_REFUSED: { exit: exitCodes.badData, retriable: false },
  REPLAY_DIFFERS: { exit: exitCodes.guarantee, retriable: false },
  GUARANTEE_VIOLATED: { exit: exitCodes.guarantee, retriable: false },
  FENCED: { exit: exitCodes.configuration, retriable: false },
  INTERRUPTED: { exit: exitCodes.interrupted, retriable: false },
} as const

export type ErrorCode = keyof typeof errorCodes

/** An error that a person can act on: `message` says what happened, `hint` what to do about it. */
export class WinnowError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'WinnowError'
    this.code = code
    this.hint = options.hint
  }

  get retriable(): boolean {
    return errorCodes[this.code].retriable
  }

  get exitCode(): number {
    return errorCodes[this.code].exit
  }
}
