import type { NaiveDocument } from './naive.ts'

/** "Guards" of SELECTION.md read literally: by documents, with fractions of BigInt. */

export interface NaiveRule {
  kind: 'floor' | 'cap' | 'pin'
  actor: string
  subcategory: string
  share: number
}
export interface NaiveGuards {
  rules?: NaiveRule[]
  repetitions?: { most: number }
  /** Of the bound on other text a selection sees the share alone. */
  other?: { bound: number; share?: number }
}

interface Ranked {
  document: NaiveDocument
  /** S. */
  s: number
}

/** n shared by whole weights: differences of the cumulative shares, each rounded half up. */
function shared(n: bigint, weights: bigint[]): bigint[] {
  const total = weights.reduce((sum, one) => sum + one, 0n)
  const upTo = weights.map((_, j) => {
    const cumulative = weights.slice(0, j + 1).reduce((sum, one) => sum + one, 0n)
    return (n * cumulative * 2n + total) / (total * 2n)
  })
  return upTo.map((value, j) => value - (j === 0 ? 0n : upTo[j - 1]!))
}

/**
 * What is selected of these documents.
 * @param sorted in the usual order, by s and then by key
 * @param natural the share that is taken whatever the score
 * @param byKey sorts documents by key
 */
export function naiveGuarded(
  rules: NaiveRule[],
  sorted: Ranked[],
  budget: number,
  indexed: (actor: string, name: string) => number,
  unit: (document: NaiveDocument) => number,
  actors: string[],
  natural: number,
  byKey: (documents: NaiveDocument[]) => NaiveDocument[],
): NaiveDocument[] {
  const isUnder = (rule: NaiveRule, { labels }: NaiveDocument) =>
    labels[rule.actor] === indexed(rule.actor, rule.subcategory)
  const digits = ({ document }: Ranked) =>
    actors.map((actor) =>
      rules.some((rule) => rule.actor === actor && isUnder(rule, document)) ? document.labels[actor]! : -1,
    )
  const order = (a: number[], b: number[]) => {
    const at = a.findIndex((one, i) => one !== b[i])
    return at === -1 ? 0 : a[at]! - b[at]!
  }
  const byName = Map.groupBy(sorted, (one) => digits(one).join())
  const strata = [...byName.values()]
    .sort(([a], [b]) => order(digits(a!), digits(b!)))
    .map(([one]) => digits(one!).join())
  /** What each level has left, by stratum. */
  const byLevel = [...Map.groupBy(sorted, ({ s }) => s || 0).values()]
  const levels = byLevel.map((level) => {
    const held = new Map<string, bigint>()
    for (const one of level) {
      const name = digits(one).join()
      held.set(name, (held.get(name) ?? 0n) + BigInt(unit(one.document)))
    }
    return held
  })
  const amount = ({ share }: NaiveRule) => (BigInt(Math.round(share * 1e6)) * BigInt(budget)) / 1000000n
  const quota = new Map(strata.map((stratum) => [stratum, 0n]))
  const membersOf = new Map(
    rules.map((rule) => [rule, strata.filter((name) => isUnder(rule, byName.get(name)![0]!.document))]),
  )
  const under = (rule: NaiveRule) => membersOf.get(rule)!
  const takenOf = (rule: NaiveRule) => under(rule).reduce((sum, stratum) => sum + quota.get(stratum)!, 0n)
  const caps = rules.filter(({ kind }) => kind !== 'floor')
  const all = () => [...quota.values()].reduce((sum, one) => sum + one, 0n)

  /** Of each stratum, up to which level something was taken by score. */
  const upToLevel = new Map(strata.map((stratum) => [stratum, -1]))
  /** Takes `upTo` of what some level, or all of them, have left. @param take is told how much of which stratum */
  const share = (
    among: string[],
    upTo: () => bigint,
    rest: (stratum: string) => bigint,
    take: (stratum: string, n: bigint) => void,
  ) => {
    for (;;) {
      const room = new Map(caps.map((rule) => [rule, amount(rule) - takenOf(rule)]))
      const open = among.filter(
        (stratum) => rest(stratum) > 0n && caps.every((rule) => room.get(rule)! > 0n || !under(rule).includes(stratum)),
      )
      const missing = [upTo(), BigInt(budget) - all()].reduce((a, b) => (a < b ? a : b))
      if (open.length === 0 || missing <= 0n) return
      const held = open.map(rest)
      const total = held.reduce((sum, one) => sum + one, 0n)
      const parts = shared(missing < total ? missing : total, held)
      for (const rule of caps) {
        const own = [...open.keys()].filter((i) => under(rule).includes(open[i]!))
        const asked = own.map((i) => parts[i]!)
        if (asked.reduce((sum, one) => sum + one, 0n) <= room.get(rule)!) continue
        for (const [j, part] of shared(room.get(rule)!, asked).entries()) parts[own[j]!] = part
      }
      for (const [i, stratum] of open.entries()) {
        quota.set(stratum, quota.get(stratum)! + parts[i]!)
        take(stratum, parts[i]!)
      }
    }
  }
  const restOf = (level: Map<string, bigint>, stratum: string) => level.get(stratum) ?? 0n
  const fill = (among: string[], upTo: () => bigint) => {
    for (const [l, level] of levels.entries())
      share(
        among,
        upTo,
        (stratum) => restOf(level, stratum),
        (stratum, n) => {
          level.set(stratum, restOf(level, stratum) - n)
          if (n > 0n && l > upToLevel.get(stratum)!) upToLevel.set(stratum, l)
        },
      )
  }
  for (const rule of rules.filter(({ kind }) => kind !== 'cap')) fill(under(rule), () => amount(rule) - takenOf(rule))
  // The natural share: of every stratum together, then of its levels by what they have left.
  const naturally = new Map(strata.map((stratum) => [stratum, levels.map(() => 0n)]))
  const drawn = new Map(strata.map((stratum) => [stratum, 0n]))
  const everyLevel = (stratum: string) => levels.reduce((sum, level) => sum + restOf(level, stratum), 0n)
  const wanted = (BigInt(Math.round(natural * 1e6)) * BigInt(budget)) / 1000000n
  share(
    strata,
    () => wanted - [...drawn.values()].reduce((sum, one) => sum + one, 0n),
    (stratum) => everyLevel(stratum) - drawn.get(stratum)!,
    (stratum, n) => drawn.set(stratum, drawn.get(stratum)! + n),
  )
  for (const [stratum, n] of drawn) {
    if (n === 0n) continue
    const parts = shared(
      n,
      levels.map((level) => restOf(level, stratum)),
    )
    naturally.set(stratum, parts)
    for (const [l, level] of levels.entries()) level.set(stratum, restOf(level, stratum) - parts[l]!)
  }
  fill(strata, () => BigInt(budget) - all())

  const prefix = (documents: NaiveDocument[], n: bigint) => {
    let size = 0n
    const taken: NaiveDocument[] = []
    for (const document of documents) {
      if (size >= n) break
      taken.push(document)
      size += BigInt(unit(document))
    }
    return taken
  }
  return strata.flatMap((stratum) => {
    const members = (some: Ranked[][]) =>
      some
        .flat()
        .filter((one) => byName.get(stratum)!.includes(one))
        .map(({ document }) => document)
    const next = upToLevel.get(stratum)! + 1
    const below = naturally
      .get(stratum)!
      .slice(next)
      .reduce((sum, one) => sum + one, 0n)
    return [
      ...prefix(members(byLevel.slice(0, next)), quota.get(stratum)! - below),
      ...prefix(byKey(members(byLevel.slice(next))), below),
    ]
  })
}
