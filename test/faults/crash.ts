// What every program to be killed begins with.
import { writeSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import type { Failpoint } from '../../services/runtime/failpoints.ts'
import { failpoint, listenAtFailpoints } from '../../services/runtime/failpoints.ts'
import type { Kafka, Producer } from '../../services/runtime/kafka/port.ts'
import type { ChildOptions } from './service.ts'

// Hundreds of short processes run the same files.
enableCompileCache()

export const say = (line: string): void => void writeSync(1, `${line}\n`)

/** The options of this process; from now on it sends itself the signal at the point that they name. */
export function childOptions<O extends ChildOptions>(): O {
  const options = JSON.parse(process.argv[2]!) as O
  const { crash } = options
  let visits = 0
  listenAtFailpoints((point) => {
    if (crash === undefined || point !== crash.point || ++visits !== crash.visit) return
    say(`reached ${point}`)
    process.kill(process.pid, crash.signal)
    // The signal comes to this thread when the kernel likes: nothing more is done until it does.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, crash.signal === 'SIGKILL' ? 60_000 : 20)
  })
  return options
}

/** The same object with a failpoint before and after each call of its methods: "store before addLabels". */
export function watched<T extends object>(name: string, target: T): T {
  return new Proxy(target, {
    get(object, property) {
      const member = object[property as keyof T] as unknown
      if (typeof member !== 'function') return member
      return async (...values: unknown[]) => {
        failpoint(`${name} before ${String(property)}` as Failpoint)
        const result = await (member as (...given: unknown[]) => Promise<unknown>).apply(object, values)
        failpoint(`${name} after ${String(property)}` as Failpoint)
        return result
      }
    },
  })
}

/** The same Kafka, whose producers have failpoints, in their order: before transaction, before send, after send, before commit, after transaction. */
export const watchedKafka = (kafka: Kafka): Kafka => ({
  ...kafka,
  producer: async (given) => {
    const real = await kafka.producer(given)
    const transaction: Producer['transaction'] = (work) =>
      real.transaction(async (send) => {
        const result = await work(watched('producer', { send }).send)
        failpoint('producer before commit')
        return result
      })
    return watched<Producer>('producer', { send: real.send, close: real.close, transaction })
  },
})
