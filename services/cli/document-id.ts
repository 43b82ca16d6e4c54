import type { DocumentId } from '../../schemas/index.ts'
import { parseId, u64Max } from '../../topologies/selection/u64.ts'
import { WinnowError } from '../runtime/errors.ts'

/** A document's id as an argument has it. @throws WinnowError USAGE */
export function idOf(text: string): DocumentId {
  const id = parseId(text)
  if (id !== null) return id
  throw new WinnowError('USAGE', `${text} is not a document id`, {
    hint: `An id is a decimal number up to ${u64Max}.`,
  })
}
