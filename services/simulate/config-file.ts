import { readFileSync } from 'node:fs'
import { parseSelectionConfig, type SelectionConfig } from '../../topologies/selection/config.ts'
import { WinnowError } from '../runtime/errors.ts'

/** Reads C.json. @throws WinnowError CONFIGURATION naming the file */
export function readSelectionConfig(file: string): SelectionConfig {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new WinnowError('CONFIGURATION', `${file}: cannot be read: ${(error as Error).message}`, {
      hint: 'Name a readable JSON file.',
      cause: error,
    })
  }
  let json: unknown
  try {
    json = JSON.parse(text.replace(/^\ufeff/, ''), keepSeedDigits)
  } catch (error) {
    throw new WinnowError('CONFIGURATION', `${file}: is not JSON: ${(error as Error).message}`, {
      hint: 'Fix the JSON; NaN and Infinity are not JSON.',
      cause: error,
    })
  }
  try {
    const config = parseSelectionConfig(json)
    if (config.duplicates === undefined) return config
    throw new WinnowError('CONFIGURATION', 'duplicates limits near duplicates, which a simulation knows nothing of', {
      hint: 'Leave it out, or try it in a shadow of a run: winnow run shadow.',
    })
  } catch (error) {
    if (!(error instanceof WinnowError)) throw error
    throw new WinnowError(error.code, `${file}: ${error.message}`, {
      ...(error.hint && { hint: error.hint }),
      cause: error,
    })
  }
}

/** A seed that a double cannot hold keeps its digits as written. */
function keepSeedDigits(key: string, value: unknown, context?: { source?: string }): unknown {
  const exceeds = key === 'seed' && typeof value === 'number' && !Number.isSafeInteger(value)
  return exceeds && /^-?[0-9]+$/.test(context?.source ?? '') ? context!.source : value
}
