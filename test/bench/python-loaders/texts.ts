import { splitmix64 } from '../../../topologies/selection/u64.ts'

const words =
  'the ship left harbour at dawn and sailed past cliffs where gulls cried over grey water warm butter flour soft dough that rests before you bake bread with salt honey invoice lists units each so total due by march is plus tax'.split(
    ' ',
  )

/** A text whose length is log-normal, about 400 tokens in the median. */
export function textOf(n: number): string {
  const random = (k: number) => (Number(splitmix64(BigInt(n * 100_003 + k)) >> 11n) + 0.5) / 2 ** 53
  const normal = Math.sqrt(-2 * Math.log(random(0))) * Math.cos(2 * Math.PI * random(1))
  const count = Math.min(20_000, Math.max(1, Math.round(330 * Math.exp(0.8 * normal))))
  let state = Number(splitmix64(BigInt(n)) % 2147483647n) || 1
  const chosen = Array.from({ length: count }, () => {
    state = (state * 48271) % 2147483647
    return words[state % words.length]
  })
  return `${n} ${chosen.join(' ')}.`
}
