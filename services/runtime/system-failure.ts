import { WinnowError } from './errors.ts'

/** What the system said about a path, in words; these are mistakes of whoever named it, or of its rights. */
const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission is denied',
  EPERM: 'it is not permitted',
  EROFS: 'the file system is read-only',
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EISDIR: 'it is a folder, not a file',
  EEXIST: 'something else is there already',
  ENOTEMPTY: 'the folder is not empty',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'the name is too long',
  EBUSY: 'it is in use',
  ETXTBSY: 'it is in use',
  EXDEV: 'it is on another file system',
  EINVAL: 'the file system does not take it',
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
 * An error of the system about a file, said so that a person can act on it: STORAGE_FULL, or CONFIGURATION with the path. Undefined for
 * any other error. Looks through `cause`, too.
 */
export function systemFailure(error: unknown): WinnowError | undefined {
  let link = error
  for (let depth = 0; depth < 5 && link instanceof Error; depth++, link = link.cause) {
    const { code = '', syscall = '', path, dest } = link as SystemError
    if (full.has(code))
      return new WinnowError('STORAGE_FULL', `${path ?? 'a file'} cannot be written: the disk is full`, {
        hint: 'Make room and start again: what was not written comes again.',
        cause: error,
      })
    const reason = reasons[code]
    if (reason === undefined || path === undefined) continue
    const where = dest ?? path
    return new WinnowError(
      'CONFIGURATION',
      `${where} cannot be ${writing.test(syscall) ? 'written' : 'opened'}: ${reason}`,
      {
        hint: 'Name another path, or give the user who runs this the right to it.',
        cause: error,
      },
    )
  }
  return undefined
}
