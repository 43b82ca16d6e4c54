import { EvalItems, EvalSet, topics } from '../../../schemas/index.ts'
import type { EvalTexts } from '../../../topologies/decontamination/filter.ts'
import { evalSetName, keyOfItems, keyOfSet, listOf, versionOf } from '../../../topologies/decontamination/sets.ts'
import type { Runtime } from '../../connections/connections.ts'
import { readEvalSets } from '../../host/eval-sets.ts'
import { type Clock, systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { liftList } from '../exclusions/lift.ts'

type Ports = Pick<Runtime, 'kafka' | 'codec'>

/** Characters of items in a record. */
const chunkCharacters = 200_000

/**
 * Records a set, its items first: a kill leaves either no set or all of it. The same again changes nothing.
 * @returns whether it is new
 * @throws WinnowError CONFIGURATION if there is another one of that name, or the name is none
 */
export async function addEvalSet(
  { kafka, codec }: Ports,
  set: EvalTexts & { readonly by: string; readonly origin: string },
  clock: Clock = systemClock,
): Promise<boolean> {
  const { name, ngram, share, items, by, origin } = set
  if (!evalSetName.test(name))
    throw new WinnowError('CONFIGURATION', `${JSON.stringify(name)} is no name of an evaluation set`, {
      hint: 'Letters, digits, dots, slashes, underscores and hyphens, at most 100.',
    })
  const version = versionOf(set)
  const known = (await readEvalSets({ kafka, codec })).named(name)
  if (known?.active && known.version === version) return false
  if (known?.active)
    throw new WinnowError('CONFIGURATION', `there is another evaluation set ${name}, of ${known.origin}`, {
      hint: `Give this one another name, or remove that one first: winnow eval-set remove ${name}`,
    })
  const chunks = chunked(items)
  await using opened = new AsyncDisposableStack()
  const producer = opened.adopt(await kafka.producer(), (one) => one.close())
  const topic = topics.evalSets.name
  for (const [chunk, some] of chunks.entries()) {
    const value = codec.encode(EvalItems, { set: name, version, chunk, items: some })
    await producer.send([{ topic, key: keyOfItems(name, version, chunk), value }])
  }
  const now = clock()
  const recorded: EvalSet = {
    ...{ name, version, ngram, share, items: items.length, chunks: chunks.length, active: true, by, origin },
    ...{ addedMs: now, recordedMs: now },
  }
  await producer.send([{ topic, key: keyOfSet(name), value: codec.encode(EvalSet, recorded) }])
  return true
}

function chunked(items: readonly string[]): string[][] {
  const chunks: string[][] = []
  let characters = chunkCharacters
  for (const item of items) {
    if (characters + item.length > chunkCharacters) {
      chunks.push([])
      characters = 0
    }
    chunks.at(-1)!.push(item)
    characters += item.length
  }
  return chunks
}

/**
 * Removes a set and takes the documents that it excluded back in, from the next round on. What was interrupted is finished by the same again.
 * @returns how many exclusions were lifted
 * @throws WinnowError CONFIGURATION if there never was such a set
 */
export async function removeEvalSet(
  { kafka, codec }: Ports,
  name: string,
  by: string,
  clock: Clock = systemClock,
): Promise<number> {
  const sets = await readEvalSets({ kafka, codec })
  const known = sets.named(name)
  if (known === undefined)
    throw new WinnowError('CONFIGURATION', `there is no evaluation set ${name}`, {
      hint: `Sets: ${sets.active.map((one) => one.name).join(', ') || 'none'}.`,
    })
  await using opened = new AsyncDisposableStack()
  const producer = opened.adopt(await kafka.producer(), (one) => one.close())
  if (known.active) {
    const topic = topics.evalSets.name
    const removed = { ...known, active: false, by, recordedMs: clock() }
    await producer.send([{ topic, key: keyOfSet(name), value: codec.encode(EvalSet, removed) }])
    // Compaction then forgets their texts.
    for (let chunk = 0; chunk < known.chunks; chunk++) {
      const { version } = known
      const value = codec.encode(EvalItems, { set: name, version, chunk, items: [] })
      await producer.send([{ topic, key: keyOfItems(name, version, chunk), value }])
    }
  }
  return await liftList({ kafka, codec }, listOf(name), by, clock)
}
