import type { Manifest } from '../../../schemas/index.ts'
import { type SelectionPorts, selectionIds } from '../../selections/chunks.ts'

/** The ids of a round's selection in emission order, 8 bytes each. */
export async function selectedOf(ports: SelectionPorts, manifest: Manifest): Promise<BigUint64Array> {
  const ids = new BigUint64Array(manifest.documents)
  let at = 0
  for await (const some of selectionIds(ports, manifest)) for (const id of some) ids[at++] = id
  return ids
}

/** An id that at least one of two selections has. */
export interface Member {
  readonly id: bigint
  readonly inA: boolean
  readonly inB: boolean
}

/** All ids of two selections, ascending. */
export function* membersOf(a: BigUint64Array, b: BigUint64Array): Generator<Member> {
  const [left, right] = [a.toSorted(), b.toSorted()]
  let [i, j] = [0, 0]
  while (i < left.length || j < right.length) {
    const [id, other] = [left[i], right[j]]
    const inA = id !== undefined && (other === undefined || id <= other)
    const inB = other !== undefined && (id === undefined || other <= id)
    yield { id: (inA ? id : other)!, inA, inB }
    if (inA) i++
    if (inB) j++
  }
}
