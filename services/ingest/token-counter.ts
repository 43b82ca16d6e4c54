import { WinnowError } from '../runtime/errors.ts'

/**
 * How documents are measured, once, for budgets in tokens. `bytes`: UTF-8 bytes divided by `perToken`, rounded up: an estimate (English with a
 * vocabulary of 32k-50k has 4 to 4.5 bytes per token) that costs nothing and needs no model. `tokenizer`: the exact length in a
 * tokenizer.json, at about 2.5 MB/s per core.
 */
export type TokenCounting = { kind: 'bytes'; perToken: number } | { kind: 'tokenizer'; path: string }

export type TokenCounter = (texts: readonly string[]) => Promise<number[]>

export const defaultTokenCounting: TokenCounting = { kind: 'bytes', perToken: 4 }

export async function createTokenCounter(counting: TokenCounting): Promise<TokenCounter> {
  if (counting.kind === 'bytes') {
    const { perToken } = counting
    if (!(perToken > 0)) {
      throw new WinnowError('CONFIGURATION', `bytes per token must be above 0, not ${perToken}`)
    }
    return async (texts) => texts.map((text) => Math.ceil(Buffer.byteLength(text) / perToken))
  }
  try {
    // Loaded on demand: the package is native code, which the default does not need.
    const { Tokenizer } = await import('tokenizers')
    const tokenizer = Tokenizer.fromFile(counting.path)
    tokenizer.disableTruncation()
    tokenizer.disablePadding()
    return async (texts) => {
      const encodings = await tokenizer.encodeBatch([...texts], { addSpecialTokens: false })
      return encodings.map((encoding) => encoding.getLength())
    }
  } catch (cause) {
    throw new WinnowError('MODEL_UNUSABLE', `cannot load the tokenizer ${counting.path}: ${(cause as Error).message}`, {
      hint: 'give a Hugging Face tokenizer.json, or count tokens by bytes: --tokens bytes:4',
      cause,
    })
  }
}
