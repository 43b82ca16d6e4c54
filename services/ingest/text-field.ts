/** Where rows have their text. */
export interface TextFields {
  /** For every source, whatever its name. */
  readonly textField?: string
  /** By the names of sources, in which `*` stands for any characters; the first that fits counts. */
  readonly textFields?: Readonly<Record<string, string>>
  /** Of the others; default: `text`. */
  readonly textFieldDefault?: string
}

/** The field with the text of a source. */
export function textFieldOf(source: string, fields: TextFields): string {
  const { textField, textFields = {}, textFieldDefault = 'text' } = fields
  if (textField !== undefined) return textField
  return Object.entries(textFields).find(([pattern]) => fits(pattern, source))?.[1] ?? textFieldDefault
}

/** Linear in the name's length, however many `*` there are: the first place of each part is as good as any later one. */
function fits(pattern: string, name: string): boolean {
  const parts = pattern.split('*')
  const [first = '', ...others] = parts
  if (others.length === 0) return name === pattern
  if (!name.startsWith(first)) return false
  const last = others.pop()!
  let at = first.length
  for (const part of others) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return name.length - last.length >= at && name.endsWith(last)
}
