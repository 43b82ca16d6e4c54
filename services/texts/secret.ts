import { randomBytes } from 'node:crypto'

/** Bytes that nobody can guess. They are no part of what a run computes, so they come from no seed. */
export const secretBytes = (length: number): Uint8Array => randomBytes(length)
