/** A column: its title, and whether it holds numbers, which stand to the right. */
export interface Column {
  readonly title: string
  readonly number?: boolean
}

/** A plain table that reads well in a terminal and in a README. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (columns[i]!.number === true ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd()
  return [
    line(columns.map(({ title }) => title)),
    line(widths.map((width) => '─'.repeat(width))),
    ...rows.map(line),
  ].join('\n')
}

/** A number for a person: so many digits after the point, a minus that is one, and a dash for what is not there. */
export const fixed = (value: number | null | undefined, digits: number): string =>
  value === null || value === undefined ? '–' : value.toFixed(digits)

export const percent = (share: number): string => `${(100 * share).toFixed(1)}%`
