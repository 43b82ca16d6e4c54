import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultProxy } from '../faults/proxy.ts'
import type { Seeded } from '../support/seeded.ts'

/** What a network does, each for some seconds, then all ways are free again. */
const faults = {
  'nobody gets through': (proxy: FaultProxy) => proxy.cut(),
  'connections are reset': (proxy: FaultProxy) => proxy.reset(),
  'nothing arrives at it': (proxy: FaultProxy) => proxy.hold({ toServer: true }),
  'nothing comes from it': (proxy: FaultProxy) => proxy.hold({ toClient: true }),
  'every packet is 200 ms late': (proxy: FaultProxy) => proxy.slow(200),
  'it answers, and three answers are lost': (proxy: FaultProxy) => proxy.loseAnswers(3),
}

const secondsMax = 15

/** One fault at one server, chosen by the seed. */
export async function oneFault(
  proxies: readonly { name: string; proxy: FaultProxy }[],
  chance: Seeded,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { name, proxy } = chance.pick(proxies)
  const [words, happen] = chance.pick(Object.entries(faults))
  const seconds = 2 + chance.below(secondsMax - 1)
  say(`fault: ${name}, ${seconds} s: ${words}`)
  happen(proxy)
  await sleep(1000 * seconds, undefined, { signal }).catch(() => {})
  proxy.heal({ lost: chance.chance(0.5) })
}
