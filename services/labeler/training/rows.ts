import { createHash } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { z } from 'zod'
import { checkFiles, linesOfFile } from '../../ingest/lines-of-file.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { inputOfLine } from '../row.ts'

const annotationRow = z.looseObject({ shard: z.number().int().min(0), line: z.number().int().min(0) })

/** The truth about a document, named by its file's index in the list of corpus files and its line, both from 0. */
export interface Annotation {
  shard: number
  line: number
  value: unknown
}

export interface CorpusRow {
  shard: number
  line: number
  text: string
  /** The row without its text, parsed. */
  meta: unknown
}

function badRow(file: string, line: number, what: string): WinnowError {
  return new WinnowError('BAD_DATA', `${file}:${line + 1}: ${what}`, {
    hint: 'Training and evaluation need every row: repair this one, or remove it and renumber the annotations.',
  })
}

function parseRow<T>(schema: z.ZodType<T>, text: string, file: string, line: number): T {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw badRow(file, line, 'is not JSON')
  }
  const parsed = schema.safeParse(json)
  if (!parsed.success) throw badRow(file, line, z.prettifyError(parsed.error))
  return parsed.data
}

/**
 * Reads files of rows, in any format that ingest reads, in order. Blank lines are not rows, but count as lines. @throws WinnowError BAD_DATA
 * naming file and line of a row that ingest would reject, or the file that breaks off; CONFIGURATION for one that cannot be read
 */
export async function* readRows(files: string[]): AsyncGenerator<CorpusRow> {
  await checkFiles(files)
  for (const [shard, file] of files.entries()) {
    for await (const line of linesOfFile(file)) {
      const input = inputOfLine(line)
      if ('reason' in input) throw badRow(file, line.row, input.message)
      yield { shard, line: line.row, ...input }
    }
  }
}

function annotationLines(file: string): string[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new WinnowError('BAD_DATA', `${file}: cannot be read: ${(cause as Error).message}`, {
      hint: 'Give a file of JSON lines with shard, line and the annotated field.',
      cause,
    })
  }
  const rows = text.split('\n')
  if (rows.at(-1) === '') rows.pop()
  if (rows.length > 0) return rows
  throw new WinnowError('BAD_DATA', `${file}: has no annotation`, { hint: 'Give a row for each annotated document.' })
}

const typeOfKind = { regression: 'number', classification: 'string' } as const

/**
 * The field that annotations are about: `preferred` if the first row has it, else the only one besides shard and line that holds what `kind`
 * asks for, a number or a string. @throws WinnowError USAGE if there is not exactly one
 */
export function fieldOf(file: string, kind: 'regression' | 'classification' | undefined, preferred?: string): string {
  const first = parseRow(annotationRow, annotationLines(file)[0]!, file, 0)
  const fits = (value: unknown) => {
    const type = typeof value
    return kind === undefined ? type === 'number' || type === 'string' : type === typeOfKind[kind]
  }
  const names = Object.keys(first).filter((name) => !Object.hasOwn(annotationRow.shape, name) && fits(first[name]))
  if (preferred !== undefined && names.includes(preferred)) return preferred
  if (names.length === 1) return names[0]!
  throw new WinnowError('USAGE', `${file}: has ${names.length} fields that could be meant: ${names.join(', ')}`, {
    hint: 'Name one with --field.',
  })
}

/** What annotations hold, judged by the first one. */
export function kindOf(annotations: Annotation[]): 'regression' | 'classification' {
  return typeof annotations[0]?.value === 'number' ? 'regression' : 'classification'
}

/** Reads annotations `{"shard", "line", [field]}`. @throws WinnowError BAD_DATA naming file and line */
export function readAnnotations(file: string, field: string): Annotation[] {
  return annotationLines(file).map((text, line) => {
    const parsed = parseRow(annotationRow, text, file, line)
    if (parsed[field] === undefined) throw badRow(file, line, `has no field ${field}`)
    return { shard: parsed.shard, line: parsed.line, value: parsed[field] }
  })
}

/**
 * Annotations as numbers: the score, or the index into `classes`. @throws WinnowError BAD_DATA for a value that is neither
 */
export function truthOf(annotations: Annotation[], classes: string[] | undefined, file: string): number[] {
  return annotations.map(({ value }, line) => {
    if (classes?.includes(value as string)) return classes.indexOf(value as string)
    if (!classes && typeof value === 'number' && Number.isFinite(value)) return value
    throw badRow(
      file,
      line,
      `${JSON.stringify(value)} is not ${classes ? `one of ${classes.join(', ')}` : 'a finite number'}`,
    )
  })
}

/** SHA-256 of a file, in hexadecimal. */
export async function fileDigest(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
