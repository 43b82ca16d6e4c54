/** Insertions, deletions, replacements and swaps of neighbours that turn one word into the other (Damerau, Levenshtein). */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const edits = [rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + (same ? 0 : 1)]
      row.push(Math.min(...edits, ...(swapped ? [rows[i - 2]![j - 2]! + 1] : [])))
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}

const shown = 3

/** `Did you mean ...?` with the names that are near what was given, or begin with it or end in it; undefined: none is. */
export function nearest(given: string, names: readonly string[]): string | undefined {
  const lower = given.toLowerCase()
  const scored = names.map((name) => {
    const known = name.toLowerCase()
    const part = lower.length > 1 && (known.startsWith(lower) || known.endsWith(lower))
    return { name, edits: part ? 0 : distance(lower, known) }
  })
  const near = scored.filter(
    ({ name, edits }) => edits <= Math.max(1, Math.floor(Math.min(lower.length, name.length) / 3)),
  )
  if (near.length === 0) return undefined
  const sorted = near.sort((a, b) => a.edits - b.edits).slice(0, shown)
  return `Did you mean ${sorted.map(({ name }) => name).join(' or ')}?`
}
