import type { Campaign, CampaignFit, ProxyResult } from '../../schemas/index.ts'
import type { FitKind } from '../fits/fit.ts'
import { conclude } from './conclude.ts'
import { lawsCheck } from './nested.ts'

/** A fit without the time at which it was recorded: what is computed. */
export type Conclusion = Omit<CampaignFit, 'recordedMs'>

/**
 * Computes a recorded fit again from the plan and the results that it was made from, by the options that it records.
 * @param results of the campaign, in any order; those that the fit was not made from are left out
 * @returns the first difference in words; undefined: the fit is the same to the bit
 */
export function refitDifference(
  plan: Campaign,
  results: readonly ProxyResult[],
  { recordedMs: _, ...was }: CampaignFit,
): string | undefined {
  const used = results.filter(({ proxy }) => was.proxies.includes(proxy))
  const missing = was.proxies.find((proxy) => !used.some((result) => result.proxy === proxy))
  if (missing !== undefined) return `proxy ${missing}, which it was made from, has no result in the log`
  const { draws, mean, bounds, scale } = was
  // One fit that was tried is one that was asked for, or the only one for so many proxies; the choice comes out the same.
  const tried = was.heldOut.filter(({ kind }) => kind !== lawsCheck)
  const kind = tried.length === 1 ? (was.kind as FitKind) : null
  const is = conclude(plan, used, { kind, search: { draws, mean, ...(bounds && { bounds }) }, scale })
  if ('reason' in is) return `nothing can be fitted: ${is.reason}`
  return firstDifference(was, is)
}

/** Bit by bit: -0 is not 0, and NaN is NaN. @returns where and what, for example `weights.2: 0.5 and 0.25` */
export function firstDifference(was: unknown, is: unknown, path = ''): string | undefined {
  if (typeof was !== 'object' || was === null || typeof is !== 'object' || is === null) {
    return Object.is(was, is) ? undefined : `${path}: ${shown(was)} and ${shown(is)}`
  }
  for (const key of new Set([...Object.keys(was), ...Object.keys(is)])) {
    const found = firstDifference(was[key as never], is[key as never], path === '' ? key : `${path}.${key}`)
    if (found !== undefined) return found
  }
  return undefined
}

const shown = (value: unknown): string =>
  value === undefined
    ? 'none'
    : Object.is(value, -0)
      ? '-0'
      : typeof value === 'number'
        ? `${value}`
        : JSON.stringify(value)
