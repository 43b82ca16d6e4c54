import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer } from 'tokenizers'
import { z } from 'zod'
import { WinnowError } from '../../runtime/errors.ts'
import { digestOfFiles } from '../../runtime/file-digest.ts'

/** What is read of a Hugging Face config.json. */
const configFile = z.looseObject({
  vocab_size: z.number().int().min(1),
  max_position_embeddings: z.number().int().min(1).optional(),
  pad_token_id: z.number().int().nullable().optional(),
  problem_type: z.string().nullable().optional(),
  id2label: z.record(z.string().regex(/^\d+$/), z.string()),
})

/** A model as exported. */
export interface EncoderFolder {
  folder: string
  /** File name of the graph. */
  file: string
  /** heads: several regressions; a folder whose problem_type does not say may also be a classification. */
  kind: 'regression' | 'heads' | 'classification' | 'heads or classification'
  /** Names of the outputs by index. */
  labels: string[]
  padId: number
  /** Token ids are below this. */
  vocabulary: number
  /** Longest sequence, special tokens included. */
  positions: number
  /** SHA-256 of the names and contents of all files that decide the labels. */
  digest: string
}

export function unusable(file: string, what: string, cause?: unknown): WinnowError {
  return new WinnowError('MODEL_UNUSABLE', `${file}: ${what}`, {
    hint: 'Name a folder with model.onnx (or the file that is configured), tokenizer.json and config.json, all three exported from the same Hugging Face checkpoint.',
    ...(cause === undefined ? {} : { cause }),
  })
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw unusable(file, 'cannot be read', cause)
  }
}

/** Reads a tokenizer without the truncation and padding that it may have been saved with. @throws WinnowError MODEL_UNUSABLE */
export function readTokenizer(file: string): Tokenizer {
  const text = readText(file)
  try {
    const tokenizer = Tokenizer.fromString(text)
    tokenizer.disableTruncation()
    tokenizer.disablePadding()
    return tokenizer
  } catch (cause) {
    throw unusable(file, 'is not a tokenizer that the tokenizers library can read', cause)
  }
}

/** A config.json of Hugging Face, as far as the schema wants it. @throws WinnowError MODEL_UNUSABLE naming the file */
export function readConfig<T>(file: string, schema: z.ZodType<T>): T {
  let json: unknown
  try {
    json = JSON.parse(readText(file))
  } catch (cause) {
    if (cause instanceof WinnowError) throw cause
    throw unusable(file, 'is not JSON', cause)
  }
  const parsed = schema.safeParse(json)
  if (!parsed.success) throw unusable(file, z.prettifyError(parsed.error))
  return parsed.data
}

/** The folder's files as parsed, and their digest. @throws WinnowError MODEL_UNUSABLE naming the file */
export async function describeFolder(folder: string, file: string): Promise<EncoderFolder> {
  const path = (name: string) => join(folder, name)
  const config = readConfig(path('config.json'), configFile)
  const labels = Array.from({ length: Object.keys(config.id2label).length }, (_, i) => config.id2label[i])
  if (labels.length === 0 || labels.includes(undefined))
    throw unusable(path('config.json'), 'id2label does not number its labels from 0')
  const kind = kindOf(labels.length, config.problem_type ?? undefined)
  if (kind === undefined) {
    throw unusable(
      path('config.json'),
      `problem_type is ${config.problem_type}; with several labels only single_label_classification gives a document one, and regression a score of each`,
    )
  }
  const weights = listModelFiles(folder, file)
  const tokenizer = path('tokenizer.json')
  if (!existsSync(tokenizer)) throw unusable(tokenizer, 'cannot be read: there is no such file')
  return {
    folder,
    file,
    kind,
    labels: labels as string[],
    padId: config.pad_token_id ?? 0,
    positions: config.max_position_embeddings ?? Number.POSITIVE_INFINITY,
    vocabulary: config.vocab_size,
    digest: await digestOfFiles([...weights, tokenizer, path('config.json')]),
  }
}

function kindOf(labels: number, problemType: string | undefined): EncoderFolder['kind'] | undefined {
  if (labels === 1) return 'regression'
  if (problemType === undefined) return 'heads or classification'
  if (problemType === 'regression') return 'heads'
  return problemType === 'single_label_classification' ? 'classification' : undefined
}

/** Checks that the tokenizer belongs to the model. @throws WinnowError MODEL_UNUSABLE naming the files */
export function checkTokenizer({ folder, vocabulary }: Pick<EncoderFolder, 'folder' | 'vocabulary'>): void {
  const file = join(folder, 'tokenizer.json')
  const largest = Object.values(readTokenizer(file).getVocab(true)).reduce((most, id) => Math.max(most, id), -1)
  if (largest < vocabulary) return
  throw unusable(
    file,
    `has token ids up to ${largest}, but ${join(folder, 'config.json')} has vocab_size ${vocabulary}: the tokenizer belongs to another model`,
  )
}

/** The graph and the files of external weights next to it. */
export function listModelFiles(folder: string, file: string): string[] {
  const names = readdirSync(folder)
    .filter((name) => name.startsWith(file))
    .sort()
  if (!names.includes(file)) throw unusable(join(folder, file), 'cannot be read: there is no such file')
  return names.map((name) => join(folder, name))
}
