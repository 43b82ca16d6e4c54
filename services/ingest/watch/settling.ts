/** Tells whether a file is still being written. */
export interface FileVersion {
  readonly byteLength: number
  readonly modifiedMs: number
}

interface Pending {
  readonly version: FileVersion | null
  readonly sinceMs: number
}

const same = (a: FileVersion | null | undefined, b: FileVersion) =>
  a?.byteLength === b.byteLength && a.modifiedMs === b.modifiedMs

/**
 * Decides when a file written by somebody else is complete: once its length and modification time have not changed for `settleMs`. A version
 * is reported once.
 */
export class Settling {
  readonly #settleMs: number
  readonly #pending = new Map<string, Pending>()
  readonly #taken = new Map<string, FileVersion>()

  constructor(settleMs: number) {
    this.#settleMs = settleMs
  }

  /** The file was found or changed: it is observed until it has settled. */
  touched(name: string) {
    if (!this.#pending.has(name)) this.#pending.set(name, { version: null, sinceMs: 0 })
  }

  /** The files to be observed. */
  get pending(): readonly string[] {
    return [...this.#pending.keys()]
  }

  /** What the file is like now; null: it is gone. */
  observed(name: string, version: FileVersion | null, nowMs: number) {
    if (version === null) this.#taken.delete(name)
    if (version === null || same(this.#taken.get(name), version)) this.#pending.delete(name)
    else if (!same(this.#pending.get(name)?.version, version)) this.#pending.set(name, { version, sinceMs: nowMs })
  }

  /** The files that have settled, in code-unit order of their names. */
  take(nowMs: number): string[] {
    const whole = this.#pending.entries().flatMap(([name, { version, sinceMs }]) => {
      return version !== null && nowMs - sinceMs >= this.#settleMs ? [{ name, version }] : []
    })
    const names = [...whole].map(({ name, version }) => {
      this.#pending.delete(name)
      this.#taken.set(name, version)
      return name
    })
    return names.sort((a, b) => (a < b ? -1 : 1))
  }
}
