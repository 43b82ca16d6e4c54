import type { ModelWorker } from './worker/client.ts'

/** Maps items to results on several workers, `perCall` items per call; results in the order of the items. */
export async function inParallel<Item, Result>(
  pool: readonly ModelWorker[],
  items: readonly Item[],
  perCall: number,
  compute: (worker: ModelWorker, part: readonly Item[]) => Promise<Result[]>,
): Promise<Result[]> {
  const results: Result[][] = []
  let next = 0
  async function work(worker: ModelWorker): Promise<void> {
    while (next * perCall < items.length) {
      const part = next++
      results[part] = await compute(worker, items.slice(part * perCall, (part + 1) * perCall))
    }
  }
  await Promise.all(pool.map(work))
  return results.flat()
}
