import { type Beside, shownStations } from './dataflow.ts'
import type { RunConfig } from './run-config.ts'

/** A station as shown in diagrams and lists. */
export interface DescribedStation {
  readonly name: string
  readonly purpose: string
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  readonly state?: string
}

export interface Description {
  readonly stations: readonly DescribedStation[]
  /** One edge per topic, from station to station. */
  readonly edges: readonly { topic: string; from: string; to: string }[]
}

/** The dataflow of a run as data, from which every diagram of it is drawn. */
export function describe(run: RunConfig, beside?: Beside): Description {
  const stations = shownStations(run, beside).map(({ name, purpose, reads, writes, state }) => ({
    name,
    purpose,
    reads,
    writes,
    ...(state !== undefined && { state }),
  }))
  const edges = stations.flatMap((from) =>
    from.writes.flatMap((topic) =>
      stations.filter(({ reads }) => reads.includes(topic)).map((to) => ({ topic, from: from.name, to: to.name })),
    ),
  )
  return { stations, edges }
}

/** The dataflow as a Mermaid flowchart, which GitHub draws. */
export function mermaid(
  { stations, edges }: Description,
  shorten: (topic: string) => string = (topic) => topic,
): string {
  const id = (name: string) => name.replaceAll(/[^A-Za-z0-9]/g, '_')
  return [
    'flowchart LR',
    ...stations.map(({ name }) => `  ${id(name)}["${name}"]`),
    ...edges.map(({ topic, from, to }) => `  ${id(from)} -->|${shorten(topic)}| ${id(to)}`),
  ].join('\n')
}
