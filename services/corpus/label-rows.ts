import type { LabelColumns } from '../../topologies/labels.ts'

/** doc 8, part 4, and, each after a not-null byte, label 2, score 8, at 8 */
const rowBytes = 8 + 4 + 3 + 9 + 9

/**
 * Rows of one actor's labels in ClickHouse's RowBinary: doc UInt64, part UInt32, label Nullable(UInt16), score Nullable(Float64),
 * at Nullable(UInt64). How long a document is, is for its own record to say. As JSON the same rows cost three times as much on both sides;
 * ClickHouse's Native, column by column, costs it no less.
 */
export function labelRows({ length, docIds, partitions, subcategories, scores, offsets }: LabelColumns): Uint8Array {
  const bytes = new Uint8Array(length * rowBytes)
  // A DataView is faster than Buffer's methods, which check their arguments.
  const view = new DataView(bytes.buffer)
  const idWords = new Uint32Array(docIds.buffer)
  for (let row = 0, at = 0; row < length; row++, at += rowBytes) {
    // Words, since a bigint for each row is garbage.
    view.setUint32(at, idWords[2 * row + lowWord]!, true)
    view.setUint32(at + 4, idWords[2 * row + 1 - lowWord]!, true)
    view.setUint32(at + 8, partitions[row]!, true)
    view.setUint16(at + 13, subcategories[row]!, true)
    view.setFloat64(at + 16, scores[row]!, true)
    setU64(view, at + 25, offsets[row]!)
  }
  return bytes
}

/** Which of the two words of a 64-bit number this machine has first. */
const lowWord = new Uint32Array(new BigUint64Array([1n]).buffer)[0] === 1 ? 0 : 1

/** A count or offset that a JavaScript number holds exactly, written without a bigint. */
function setU64(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / 2 ** 32)
  view.setUint32(at, value - high * 2 ** 32, true)
  view.setUint32(at + 4, high, true)
}
