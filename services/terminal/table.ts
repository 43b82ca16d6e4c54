import stringWidth from 'string-width'

/** A column: its title, and whether it has numbers, which are right-aligned and never broken; or is never broken otherwise. */
export interface Column {
  readonly title: string
  readonly number?: boolean
  readonly whole?: boolean
}

const gap = '  '
/** No text column becomes narrower than this; a terminal without room for it wraps. */
const textCellsMin = 8

/**
 * A plain table for terminals and READMEs. If it is wider than `width`, its widest text columns are narrowed and their cells broken into lines;
 * numbers are never broken.
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { width = Number.POSITIVE_INFINITY }: { width?: number | undefined } = {},
): string {
  const widths = fitted(
    columns.map(({ title }, i) => Math.max(stringWidth(title), ...rows.map((row) => stringWidth(row[i] ?? '')))),
    columns,
    width,
  )
  const padded = (cell: string, i: number) => {
    const space = ' '.repeat(Math.max(0, widths[i]! - stringWidth(cell)))
    return columns[i]!.number === true ? space + cell : cell + space
  }
  const lines = (cells: readonly string[]): string[] => {
    const broken = columns.map((_, i) => wrap(cells[i] ?? '', widths[i]!))
    const height = Math.max(1, ...broken.map((part) => part.length))
    return Array.from({ length: height }, (_, row) =>
      broken
        .map((part, i) => padded(part[row] ?? '', i))
        .join(gap)
        .trimEnd(),
    )
  }
  return [
    ...lines(columns.map(({ title }) => title)),
    widths.map((cells) => '─'.repeat(cells)).join(gap),
    ...rows.flatMap(lines),
  ].join('\n')
}

/**
 * The table without the columns of `leftOut`, the first ones first, that it has no room for; only then are cells broken into lines. A
 * terminal gets whole lines of what matters, and a pipe gets everything.
 */
export function fittingTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  leftOut: readonly string[],
  width = Number.POSITIVE_INFINITY,
): string {
  for (let without = 0; ; without++) {
    const kept = [...columns.keys()].filter((i) => !leftOut.slice(0, without).includes(columns[i]!.title))
    const shown = kept.map((i) => columns[i]!)
    const cells = rows.map((row) => kept.map((i) => row[i] ?? ''))
    const text = table(shown, cells)
    if (Math.max(...text.split('\n').map((line) => stringWidth(line))) <= width) return text
    if (without === leftOut.length) return table(shown, cells, { width })
  }
}

/** Narrows the widest text column, one cell at a time, until the table fits or cannot be narrowed. */
function fitted(natural: readonly number[], columns: readonly Column[], width: number): number[] {
  const widths = [...natural]
  const room = width - gap.length * (widths.length - 1)
  let excess = widths.reduce((sum, cells) => sum + cells, 0) - room
  while (excess > 0) {
    const shrinkable = widths.map((cells, i) => (isWhole(columns[i]!) || cells <= textCellsMin ? 0 : cells))
    const widest = shrinkable.indexOf(Math.max(...shrinkable))
    if (shrinkable[widest] === 0 || widest === -1) break
    widths[widest]!--
    excess--
  }
  return widths
}

const isWhole = ({ number, whole }: Column): boolean => number === true || whole === true

const characters = new Intl.Segmenter()

/** Breaks a text at spaces, and inside a word only if it is longer than a line. */
function wrap(text: string, width: number): string[] {
  if (stringWidth(text) <= width) return [text]
  const lines = ['']
  for (const word of text.split(' ')) {
    const joined = lines.at(-1) === '' ? word : `${lines.at(-1)} ${word}`
    if (stringWidth(joined) <= width) {
      lines[lines.length - 1] = joined
      continue
    }
    if (lines.at(-1) !== '') lines.push('')
    for (const { segment } of characters.segment(word)) {
      if (stringWidth(lines.at(-1)! + segment) > width) lines.push('')
      lines[lines.length - 1] += segment
    }
  }
  return lines
}

/** A number with a fixed number of decimals, a true minus sign, and a dash if it is missing. */
export const formatFixed = (value: number | null | undefined, digits: number): string =>
  value === null || value === undefined ? '–' : value.toFixed(digits)

export const percent = (share: number): string => `${(100 * share).toFixed(1)}%`

/** FLOPs as the paper writes them, without the times sign: 9.91e19. */
export const formatFlops = (flops: number): string => (flops === 0 ? '0' : flops.toExponential(2).replace('e+', 'e'))
