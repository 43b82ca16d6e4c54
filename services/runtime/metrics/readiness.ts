/**
 * Whether a process does what it was started for. It does not before everything that it runs has loaded and joined, which takes a labeler as long
 * as its model does, nor once it has been told to end.
 */
export class Readiness {
  #end: AbortSignal | undefined

  /** Everything has started, and serves until the process is told to end. */
  serveUntil(end: AbortSignal): void {
    this.#end = end
  }

  /** Why it does not serve; undefined if it does. */
  get reason(): string | undefined {
    if (this.#end === undefined) return 'this process is starting'
    return this.#end.aborted ? 'this process is ending' : undefined
  }
}
