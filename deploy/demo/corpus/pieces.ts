import { createHash } from 'node:crypto'
import type { Work } from './work.ts'

export interface Piece {
  readonly work: Work
  readonly index: number
  readonly text: string
}

export interface PieceSize {
  readonly charactersMin: number
  readonly charactersMax: number
  /** A piece ends with the paragraph that reaches a length drawn from this range, so that lengths vary as in a corpus. */
  readonly target: readonly [from: number, to: number]
}

/** A number in [0, 1) that depends on the text alone, the same on every machine. */
export const drawn = (text: string): number => createHash('sha256').update(text).digest().readUInt32LE() / 2 ** 32

/** Cuts a work at paragraphs, and long paragraphs at lines or sentences. A short rest joins the previous piece, or is dropped. */
export function piecesOf(work: Work, size: PieceSize): Piece[] {
  const separator = work.source === 'Speeches' ? ' ' : '\n\n'
  const texts: string[] = []
  let text = ''
  const drawTarget = () => size.target[0] + drawn(`${work.path}#${texts.length}`) * (size.target[1] - size.target[0])
  let target = drawTarget()
  for (const paragraph of work.paragraphs.flatMap((whole) => shortened(whole, size.charactersMax))) {
    const longer = text === '' ? paragraph : text + separator + paragraph
    if (longer.length > size.charactersMax) {
      texts.push(text)
      target = drawTarget()
      text = paragraph
    } else text = longer
    if (text.length >= target) {
      texts.push(text)
      target = drawTarget()
      text = ''
    }
  }
  const last = texts.at(-1)
  if (text.length >= size.charactersMin) texts.push(text)
  else if (text !== '' && last !== undefined && (last + separator + text).length <= size.charactersMax) {
    texts[texts.length - 1] = last + separator + text
  }
  return texts
    .map((piece, index) => ({ work, index, text: piece.trimEnd() }))
    .filter((piece) => piece.text.length >= size.charactersMin)
}

/** Parts of at most this many characters, ending with a line if possible, else with a sentence, else anywhere. */
function shortened(paragraph: string, charactersMax: number): string[] {
  const parts: string[] = []
  let rest = paragraph
  while (rest.length > charactersMax) {
    const head = rest.slice(0, charactersMax)
    const end = [head.lastIndexOf('\n') + 1, head.lastIndexOf('. ') + 2, head.lastIndexOf(' ') + 1].find(
      (at) => at > charactersMax / 4,
    )
    parts.push(rest.slice(0, end ?? charactersMax))
    rest = rest.slice(end ?? charactersMax)
  }
  return rest === '' ? parts : [...parts, rest]
}
