import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { WinnowError } from '../runtime/errors.ts'

// The native package is CommonJS whose named exports Node cannot see from a module.
const native = createRequire(import.meta.url)('tokenizers') as typeof import('tokenizers')

/** As tokens are counted everywhere: none that a tokenizer puts at beginnings or ends of its own. */
const plain = { addSpecialTokens: false }

/** Tokenizes texts for one model. Encoding runs in the native library's own threads. */
export interface TextTokenizer {
  /** Id of the token that ends every document. */
  readonly endOfText: number
  encode(text: string): Promise<Int32Array>
  encodeAll(texts: readonly string[]): Promise<Int32Array[]>
}

/**
 * Loads a tokenizer.json whose vocabulary fits the model and has the token that ends a document.
 * @throws WinnowError MODEL_UNUSABLE
 */
export function loadTokenizer(path: string, vocabularySize: number, endOfText: number): TextTokenizer {
  const tokenizer = open(path)
  tokenizer.disableTruncation()
  tokenizer.disablePadding()
  const found = tokenizer.getVocabSize(true)
  if (found > vocabularySize) throw unusable(path, `it has ${found} tokens, the model ${vocabularySize}`)
  if (tokenizer.idToToken(endOfText) == null)
    throw unusable(path, `it has no token ${endOfText}, which ends a document of the model`)
  return {
    endOfText,
    async encode(text) {
      return Int32Array.from((await tokenizer.encode(text.toWellFormed(), null, plain)).getIds())
    },
    async encodeAll(texts) {
      const encodings = await tokenizer.encodeBatch(
        texts.map((text) => text.toWellFormed()),
        plain,
      )
      return encodings.map((encoding) => Int32Array.from(encoding.getIds()))
    },
  }
}

function open(path: string) {
  if (!existsSync(path)) throw unusable(path, 'it does not exist')
  try {
    return native.Tokenizer.fromFile(path)
  } catch (cause) {
    throw unusable(path, 'it cannot be parsed', cause)
  }
}

function unusable(path: string, reason: string, cause?: unknown): WinnowError {
  return new WinnowError('MODEL_UNUSABLE', `The tokenizer ${path} cannot be used: ${reason}`, {
    hint: 'Train one for this model with services/influence/export/train_tokenizer.py.',
    cause,
  })
}
