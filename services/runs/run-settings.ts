/** Every setting of a recorded configuration by its path, in order; a list is one setting. */
export function flat(config: unknown, above = ''): Map<string, unknown> {
  if (typeof config !== 'object' || config === null || Array.isArray(config)) return new Map([[above, config]])
  return new Map(
    Object.entries(config).flatMap(([key, value]) => [...flat(value, above === '' ? key : `${above}.${key}`)]),
  )
}

export interface Difference {
  readonly key: string
  /** undefined: not set. */
  readonly here: unknown
  readonly there: unknown
}

/** How two configurations differ, except for their names. */
export function differencesOf(here: unknown, there: unknown): Difference[] {
  const [a, b] = [flat(here), flat(there)]
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((key) => key !== 'name' && JSON.stringify(a.get(key)) !== JSON.stringify(b.get(key)))
    .map((key) => ({ key, here: a.get(key), there: b.get(key) }))
}
