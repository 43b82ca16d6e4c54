import { Source, topics } from '../../schemas/index.ts'
import { recordsOf } from '../runtime/records-of.ts'

/** The name of each source by its number, the upper 24 bits of its documents' ids. */
export async function sourceNames(runtime: Parameters<typeof recordsOf>[0]): Promise<Map<number, string>> {
  const names = new Map<number, string>()
  for await (const { record, value } of recordsOf(runtime, topics.sources.name)) {
    if (record !== Source.name) continue
    const { source, name } = value as Source
    names.set(source, name)
  }
  return names
}
