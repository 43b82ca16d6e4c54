import { z } from 'zod'

/** It is not there: 404. */
export class NotFound extends Error {}
/** It cannot be meant: 400. */
export class BadRequest extends Error {}

/** @throws BadRequest saying what is wrong where */
export function parsed<T>(schema: z.ZodType<T>, given: unknown): T {
  const result = schema.safeParse(given ?? {})
  if (result.success) return result.data
  throw new BadRequest(z.prettifyError(result.error))
}

/** Named parts of the path and of the query, by name; one that is given several times is a list. */
export type Parameters = Readonly<Record<string, string | readonly string[] | undefined>>

/** The first value of a parameter that was given once or more. */
export const one = (value: Parameters[string]): string | undefined => (typeof value === 'string' ? value : value?.[0])

/** Answers a GET of this path with JSON. */
export type Get = (url: string, answer: (parameters: Parameters) => Promise<unknown>) => void
