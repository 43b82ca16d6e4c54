import { BufferedFile } from './buffered-file.ts'
import type { RejectionReason } from './reasons.ts'

/** rejected.jsonl, and the number of rejected lines by reason. */
export class Rejections {
  readonly #file: BufferedFile
  readonly counts = new Map<RejectionReason, number>()

  constructor(path: string) {
    this.#file = new BufferedFile(path)
  }

  /** @param record JSON text of the line */
  add(file: string, line: number, reason: RejectionReason, record: string): void {
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1)
    this.#file.write(`{"file":${JSON.stringify(file)},"line":${line},"reason":"${reason}","record":${record}}\n`)
  }

  close(): void {
    this.#file.close()
  }
}
