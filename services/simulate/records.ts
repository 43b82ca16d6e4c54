import { parseLine } from './json-line.ts'
import { readLines } from './lines.ts'
import type { RejectionReason } from './reasons.ts'
import type { Rejections } from './rejections.ts'

/**
 * Accepts the object of a line. @param reason why the line is to be rejected although its object is known (a number that is not finite), or
 * null @returns why it was not accepted, or null
 */
export type Accept = (object: Record<string, unknown>, reason: RejectionReason | null) => RejectionReason | null

/**
 * Passes every object of a JSON lines file to `accept`; what is rejected goes to `rejections`, blank lines are skipped. @param scan tries to
 * accept a line from its bytes; if it returns false, the line is parsed
 */
export async function forEachRecord(
  file: string,
  { rejections, onBlock, scan }: RecordsOptions,
  accept: Accept,
): Promise<void> {
  await readLines(
    file,
    (bytes, start, end, line) => {
      if (bytes === null) {
        rejections.add(file, line, 'line-too-long', 'null')
        return
      }
      if (scan?.(bytes, start, end)) return
      const parsed = parseLine(bytes, start, end, line)
      if (parsed === null) return
      const reason = parsed.object === null ? parsed.reason : accept(parsed.object, parsed.reason)
      if (reason !== null) rejections.add(file, line, reason, parsed.record)
    },
    onBlock,
  )
}

export interface RecordsOptions {
  readonly rejections: Rejections
  /** Called between blocks, for progress and for ending early by an exception. */
  readonly onBlock: () => void
  readonly scan?: (bytes: Buffer, start: number, end: number) => boolean
}
