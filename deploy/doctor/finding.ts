import { exitCodes } from '../../services/runtime/errors.ts'

/** The result of one check. A problem keeps winnow from working; a warning may do so later; what could not be checked is skipped. */
export interface Finding {
  readonly check: string
  readonly state: 'ok' | 'warning' | 'problem' | 'unreachable' | 'skipped'
  readonly found: string
  /** What to do about it: a command or a setting. */
  readonly mend?: string
}

/** 4 if something does not answer, else 3 if something is misconfigured, else 0. */
export function exitCodeOfFindings(findings: readonly Finding[]): number {
  if (findings.some(({ state }) => state === 'unreachable')) return exitCodes.unreachable
  return findings.some(({ state }) => state === 'problem') ? exitCodes.configuration : exitCodes.ok
}

export const ok = (check: string, found: string): Finding => ({ check, state: 'ok', found })
export const skipped = (check: string, found: string): Finding => ({ check, state: 'skipped', found })
export const problem = (check: string, found: string, mend: string): Finding => ({
  check,
  state: 'problem',
  found,
  mend,
})
export const warning = (check: string, found: string, mend: string): Finding => ({
  check,
  state: 'warning',
  found,
  mend,
})
export const unreachable = (check: string, found: string, mend: string): Finding => ({
  check,
  state: 'unreachable',
  found,
  mend,
})
