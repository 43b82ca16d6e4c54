import { isUtf8 } from 'node:buffer'
import { basename } from 'node:path'
import { z } from 'zod'
import { checkFiles, linesOfFile } from '../../ingest/lines-of-file.ts'
import { type TextFields, textFieldOf } from '../../ingest/text-field.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { inputOfLine } from '../row.ts'

const annotationRow = z.looseObject({ shard: z.number().int().min(0), line: z.number().int().min(0) })

/** The truth about a document, named by its file's index in the list of corpus files and its line, both from 0. */
export interface Annotation {
  shard: number
  line: number
  value: unknown
  /** Where the annotation is in its own file, from 0. */
  fileLine: number
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
 * naming the file that breaks off, or file and line of a row that ingest would reject, unless `onRejected` takes it; CONFIGURATION for a file
 * that cannot be read
 */
export async function* readRows(
  files: string[],
  fields: TextFields = {},
  onRejected?: () => void,
): AsyncGenerator<CorpusRow> {
  await checkFiles(files)
  for (const [shard, file] of files.entries()) {
    const textField = textFieldOf(basename(file), fields)
    for await (const line of linesOfFile(file)) {
      const input = inputOfLine(line, textField)
      if ('reason' in input) {
        if (onRejected === undefined) throw badRow(file, line.row, input.message)
        onRejected()
        continue
      }
      yield { shard, line: line.row, ...input }
    }
  }
}

interface AnnotationRow extends z.output<typeof annotationRow> {
  /** In the file, from 0; blank lines count. */
  fileLine: number
}

async function* annotationRows(file: string): AsyncGenerator<AnnotationRow> {
  let rows = 0
  for await (const { row, bytes, tooLong } of linesOfFile(file)) {
    if (tooLong || !isUtf8(bytes)) throw badRow(file, row, tooLong ? 'is too long' : 'is not UTF-8')
    rows++
    yield { ...parseRow(annotationRow, bytes.toString('utf8'), file, row), fileLine: row }
  }
  if (rows > 0) return
  throw new WinnowError('BAD_DATA', `${file}: has no annotation`, { hint: 'Give a row for each annotated document.' })
}

const typeOfKind = { regression: 'number', classification: 'string' } as const

/**
 * The field that annotations are about: `preferred` if the first row has it, else the only one besides shard and line that holds what `kind`
 * asks for, a number or a string. @throws WinnowError USAGE if there is not exactly one
 */
export async function fieldOf(
  file: string,
  kind: 'regression' | 'classification' | undefined,
  preferred?: string,
): Promise<string> {
  const first = await firstOf(file)
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

async function firstOf(file: string): Promise<Record<string, unknown>> {
  for await (const { fileLine, ...row } of annotationRows(file)) return row
  return {}
}

/** What annotations hold, judged by the first one. */
export function kindOf(annotations: Annotation[]): 'regression' | 'classification' {
  return typeof annotations[0]?.value === 'number' ? 'regression' : 'classification'
}

/**
 * Reads annotations `{"shard", "line", [field]}`, from a file in any format that ingest reads. @throws WinnowError BAD_DATA naming file and
 * line, or the file that breaks off; CONFIGURATION for one that cannot be read
 */
export async function readAnnotations(file: string, field: string): Promise<Annotation[]> {
  const annotations: Annotation[] = []
  for await (const { shard, line, fileLine, [field]: value } of annotationRows(file)) {
    if (value === undefined) throw badRow(file, fileLine, `has no field ${field}`)
    annotations.push({ shard, line, value, fileLine })
  }
  return annotations
}

/**
 * Annotations as numbers: the score, or the index into `classes`. @throws WinnowError BAD_DATA for a value that is neither
 */
export function truthOf(annotations: Annotation[], classes: string[] | undefined, file: string): number[] {
  return annotations.map(({ value, fileLine: line }) => {
    if (classes?.includes(value as string)) return classes.indexOf(value as string)
    if (!classes && typeof value === 'number' && Number.isFinite(value)) return value
    throw badRow(
      file,
      line,
      `${JSON.stringify(value)} is not ${classes ? `one of ${classes.join(', ')}` : 'a finite number'}`,
    )
  })
}
