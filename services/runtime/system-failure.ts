import { WinnowError } from './errors.ts'

/** What the system said about a path, in words; each is a wrong path or missing rights. */
const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission is denied',
  EPERM: 'it is not permitted',
  EROFS: 'the file system is read-only',
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EISDIR: 'it is a folder, not a file',
  EEXIST: 'something else is already there',
  ENOTEMPTY: 'the folder is not empty',
  ELOOP: 'its links form a loop',
  ENAMETOOLONG: 'the name is too long',
  EBUSY: 'it is in use',
  ETXTBSY: 'it is in use',
  EXDEV: 'it is on another file system',
  EINVAL: 'the file system does not accept it',
  ENXIO: 'nothing can be written there',
  ENODEV: 'nothing can be written there',
}
const full = new Set(['ENOSPC', 'EDQUOT'])
const writing = /^(write|mkdir|rename|copyfile|ftruncate|fsync|fdatasync|link|symlink|unlink|rm|rmdir|chmod|utime)/

interface SystemError extends Error {
  readonly code?: string
  readonly syscall?: string
  readonly path?: string
  readonly dest?: string
}

/**
 * A system error about a file, worded so that a person can act on it: STORAGE_FULL, or CONFIGURATION with the path. Undefined for any other
 * error. Follows `cause`, too.
 */
export function systemFailure(error: unknown): WinnowError | undefined {
  let link = error
  for (let depth = 0; depth < 5 && link instanceof Error; depth++, link = link.cause) {
    const { code = '', syscall = '', path, dest } = link as SystemError
    if (full.has(code))
      return new WinnowError('STORAGE_FULL', `${path ?? 'a file'} cannot be written: the disk is full`, {
        hint: 'Free some space and start again: what was not written is processed again.',
        cause: error,
      })
    const reason = reasons[code]
    if (reason === undefined || path === undefined) continue
    const where = dest ?? path
    return new WinnowError(
      'CONFIGURATION',
      `${where} cannot be ${writing.test(syscall) ? 'written' : 'opened'}: ${reason}`,
      {
        hint: 'Name another path, or give the user who runs this access to it.',
        cause: error,
      },
    )
  }
  return undefined
}
