import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { text as readAll } from 'node:stream/consumers'
import type { DocumentId } from '../../schemas/index.ts'
import { parseId } from '../../topologies/selection/u64.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { CliContext } from './context.ts'

/** The ids of a file that has one a line, each once. @param file `-`: standard input. @throws WinnowError CONFIGURATION, BAD_DATA */
export async function readIds({ folder, stdin }: CliContext, file: string): Promise<DocumentId[]> {
  const content =
    file === '-'
      ? await readAll(stdin)
      : await readFile(resolve(folder, file), 'utf8').catch((cause: unknown) => {
          throw new WinnowError('CONFIGURATION', `${file} cannot be read`, { cause, hint: 'Give a file with ids.' })
        })
  const ids = new Set<DocumentId>()
  for (const [line, text] of content.split('\n').entries()) {
    if (text.trim() === '') continue
    const id = parseId(text.trim())
    if (id === null)
      throw new WinnowError('BAD_DATA', `${file}:${line + 1}: ${text.trim()} is not a document id`, {
        hint: 'Nothing is recorded. An id is a decimal number, one a line.',
      })
    ids.add(id)
  }
  return [...ids]
}
