import { open } from 'node:fs/promises'
import { WinnowError } from '../../runtime/errors.ts'
import { DamagedFile } from '../compression/damaged-file.ts'
import { readFooter } from './footer.ts'
import { beyond, type ParquetLimits } from './read.ts'

/** Refuses a file whose row groups say that they do not fit into memory. One that is damaged says so when it is read. */
export async function checkRowGroups(path: string, byteLength: number, limits: ParquetLimits) {
  const file = await open(path)
  try {
    for (const [index, group] of (await readFooter(file, byteLength)).groups.entries()) {
      const reason = beyond(group, limits)
      if (reason === null) continue
      throw new WinnowError('CONFIGURATION', `row group ${index + 1} of ${path} has ${reason}`, {
        hint: 'a row group is read whole: write the file with smaller ones, as with row_group_size=10000 of pyarrow.parquet.write_table',
      })
    }
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error
  } finally {
    await file.close()
  }
}
