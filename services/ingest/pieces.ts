/** Where a text may be cut, best first: after a paragraph, a line, a sentence, a word. */
const ends = ['\n\n', '\n\r\n', '\n', '. ', '。', '! ', '? ', ' ', '\u3000'].map((end) => Buffer.from(end))

/** The minimum size of every piece but the last, as a share of the maximum: this bounds how many pieces a text can have. */
const shareMin = 0.5

/**
 * Cuts a text into pieces of at most `bytesMax` bytes of UTF-8, whose concatenation is the text, at the best place in the second half of each
 * piece. The same text and limit give the same pieces.
 * @param bytesMax at least 8, so that a piece holds a character
 */
export function piecesOf(text: string, bytesMax: number): string[] {
  const bytes = Buffer.from(text)
  const pieces: string[] = []
  let from = 0
  while (bytes.length - from > bytesMax) {
    const to = cutIn(bytes, from + Math.ceil(bytesMax * shareMin), from + bytesMax)
    pieces.push(bytes.toString('utf8', from, to))
    from = to
  }
  pieces.push(bytes.toString('utf8', from))
  return pieces
}

/** The best place to cut from `min` up to `max`. */
function cutIn(bytes: Buffer, min: number, max: number): number {
  for (const end of ends) {
    const first = min - end.length
    const at = bytes.subarray(first, max).lastIndexOf(end)
    if (at !== -1) return first + at + end.length
  }
  let to = max
  // Never within a character: continuation bytes begin with the bits 10.
  while ((bytes[to]! & 0xc0) === 0x80) to--
  return to
}
