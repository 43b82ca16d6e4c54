/** One value of a swept hyperparameter, as a change of a run's selection (SELECTION.md, C.json). */
export interface SweptValue {
  /** As it was given: `eta=0.1`. */
  readonly name: string
  readonly change: Readonly<Record<string, unknown>>
}

/** Hyperparameters of actors; `eta.topic` is that of one actor. */
const ofActors = ['eta', 'initialTheta']

/**
 * The values of `KEY=VALUE,VALUE,..`: a key of `selection`, or one of its actors' for all actors or, after a dot, for one. A value is JSON, or text
 * otherwise; `exp:0.5` is the transform of that scale.
 * @param actors the run's, by name
 * @returns undefined if it does not have this form
 */
export function sweptValues(given: string, actors: readonly string[]): SweptValue[] | undefined {
  const [, key, values] = /^([A-Za-z]+(?:\.[^=]+)?)=(.+)$/.exec(given) ?? []
  if (key === undefined || values === undefined) return undefined
  const [name, actor] = [key.split('.')[0]!, key.includes('.') ? key.slice(key.indexOf('.') + 1) : undefined]
  if (actor !== undefined && !ofActors.includes(name)) return undefined
  return values.split(',').map((value) => {
    const parsed = name === 'rewardTransform' ? transformOf(value) : parsedValue(value)
    const change = ofActors.includes(name)
      ? { actors: Object.fromEntries((actor === undefined ? actors : [actor]).map((one) => [one, { [name]: parsed }])) }
      : { [name]: parsed }
    return { name: `${key}=${value}`, change }
  })
}

/** Every combination of one value each. */
export const combinations = (sweeps: readonly (readonly SweptValue[])[]): SweptValue[][] =>
  sweeps.reduce<SweptValue[][]>((all, values) => all.flatMap((one) => values.map((value) => [...one, value])), [[]])

/** Changes in one; those of actors are put together by actor. */
export function together(values: readonly SweptValue[]): Record<string, unknown> {
  const actors = new Map<string, object>()
  const change: Record<string, unknown> = {}
  for (const { change: own } of values) {
    for (const [key, value] of Object.entries(own)) {
      if (key !== 'actors') change[key] = value
      else for (const [name, of] of Object.entries(value as object)) actors.set(name, { ...actors.get(name), ...of })
    }
  }
  return actors.size === 0 ? change : { ...change, actors: Object.fromEntries(actors) }
}

function transformOf(value: string): unknown {
  const [kind, scale] = value.split(':')
  return scale === undefined ? { kind } : { kind, scale: Number(scale) }
}

function parsedValue(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}
