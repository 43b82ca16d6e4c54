import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/**
 * What is cached for all data folders and checkouts: WINNOW_CACHE, else winnow/ in XDG_CACHE_HOME, else ~/.cache/winnow. A relative
 * XDG_CACHE_HOME is ignored, as the XDG Base Directory Specification says.
 */
export function cachesFolder({ WINNOW_CACHE: own, XDG_CACHE_HOME: xdg }: NodeJS.ProcessEnv): string {
  return own || join(xdg && isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'winnow')
}
