import { DamagedFile } from '../compression/damaged-file.ts'
import { type FoundFile, withBytes } from '../input.ts'
import { readFooter } from './footer.ts'
import { beyond, nestedPart, type ParquetLimits } from './read.ts'

/**
 * Why a file cannot be read within the limits, according to its footer, or null. A large row group is read in parts, except for its nested
 * columns. Damage is only found on reading.
 */
export async function beyondLimits(file: FoundFile, limits: ParquetLimits): Promise<string | null> {
  try {
    const footer = await withBytes(file, (bytes) => readFooter(bytes, file.byteLength))
    for (const [index, group] of footer.groups.entries()) {
      if (beyond(group, limits) === null) continue
      const reason = beyond(nestedPart(footer, group), limits)
      if (reason !== null)
        return `the lists and structs of row group ${index + 1} have ${reason}: write the file with smaller row groups, as with row_group_size=10000 of pyarrow.parquet.write_table`
    }
    return null
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error
    return null
  }
}
