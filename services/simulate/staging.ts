import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { WinnowError } from '../runtime/errors.ts'
import { makeFolder, unmakeFolder } from '../runtime/make-folder.ts'

const resultFile = /^(?:selection-\d+\.txt|rounds\.jsonl|rejected\.jsonl)$/

/**
 * A folder inside DIR that holds the results until they are complete, so that DIR never has a mixture of an old and a new run, and an error
 * leaves it as it was.
 */
export class Staging {
  readonly path: string
  readonly #out: string
  /** The topmost folder that had to be created, if any. */
  readonly #topMade: string | undefined

  /** @throws WinnowError CONFIGURATION if the folder cannot be created or written */
  constructor(out: string) {
    this.#out = resolve(out)
    try {
      this.#topMade = makeFolder(out)
      this.path = mkdtempSync(join(out, '.simulate-'))
    } catch (error) {
      throw new WinnowError('CONFIGURATION', `${out}: cannot be created or written: ${(error as Error).message}`, {
        hint: 'Name a writable folder.',
        cause: error,
      })
    }
  }

  file(name: string): string {
    return join(this.path, name)
  }

  /** Replaces an older result in DIR by this one; touches nothing else there. */
  publish(): void {
    for (const name of readdirSync(this.#out)) if (resultFile.test(name)) rmSync(join(this.#out, name))
    for (const name of readdirSync(this.path))
      if (resultFile.test(name)) renameSync(this.file(name), join(this.#out, name))
    rmSync(this.path, { recursive: true, force: true })
  }

  /** Leaves DIR as it was, absent if it was. */
  discard(): void {
    rmSync(this.path, { recursive: true, force: true })
    unmakeFolder(this.#out, this.#topMade)
  }
}
