import type { Preparing } from '../../topologies/corpus-store.ts'

/** For the end of a sentence: nothing as long as that is not known. */
export const howFar = ({ done, total }: Preparing): string =>
  total === 0 ? '' : `: ${Math.floor((100 * Math.min(done, total)) / total)}% of ${total} rows`
