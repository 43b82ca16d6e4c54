import type { Group } from '../../../topologies/selection/groups.ts'
import type { ReadMove } from '../../../topologies/selection/read-selection.ts'

/** Groups by cell and reads: those of the cells, none of which is read, after moves in the order of rounds. */
export function movedGroups(cells: readonly Group[], moves: readonly ReadMove[]): Group[] {
  const groups = new Map(cells.map((cell) => [`${cell.labels.join()};0`, { ...cell }]))
  const groupOf = (labels: readonly number[], reads: number): Group => {
    const name = `${labels.join()};${reads}`
    const known = groups.get(name) ?? { labels: [...labels], reads, documents: 0, tokens: 0 }
    groups.set(name, known)
    return known
  }
  for (const { labels, readsBefore, readsAfter, documents, tokens } of moves) {
    const [from, to] = [groupOf(labels, readsBefore), groupOf(labels, readsAfter)]
    from.documents -= documents
    from.tokens -= tokens
    to.documents += documents
    to.tokens += tokens
  }
  return [...groups.values()].filter(({ documents }) => documents > 0)
}
