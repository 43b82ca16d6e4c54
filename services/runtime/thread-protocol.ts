import { type ErrorCode, WinnowError } from './errors.ts'

/** Messages to a worker thread. Nothing follows `close`. */
export type ToThread<Request> = { id: number; request: Request } | { close: true }

/** Messages back: first that it is ready, or why it never will be; then one for each request. */
export type FromThread<Answer> =
  | { ready: true }
  | { unusable: FailureParts }
  | { id: number; answer: Answer }
  | { id: number; failure: FailureParts }

/** Errors are sent between threads in parts, because structured cloning would lose their class. */
export interface FailureParts {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string | undefined
  readonly stack: string | undefined
}

export function partsOf(error: unknown): FailureParts {
  const { message, stack } = error instanceof Error ? error : new Error(String(error))
  const [code, hint] = error instanceof WinnowError ? [error.code, error.hint] : (['UNEXPECTED', undefined] as const)
  return { code, message, hint, stack }
}

export function errorOf({ code, message, hint, stack }: FailureParts): WinnowError {
  const cause = new Error(message)
  if (stack !== undefined) cause.stack = stack
  return new WinnowError(code, message, hint === undefined ? { cause } : { hint, cause })
}
