import type { DocumentId, Manifest } from '../../schemas/index.ts'
import type { Addresses } from '../../services/connections/connections.ts'
import type { EmissionLayout } from '../../topologies/console/emitting.ts'
import type { ConsolePorts } from '../../topologies/console/ports.ts'
import type { ChildOptions } from './service.ts'

/** What station-child.ts is told. */
export interface StationChildOptions extends ChildOptions {
  readonly station: string
  readonly addresses: Addresses
  /** Of a run's station: its configuration. */
  readonly run?: string
  /** Beginning of the consumer group's and the transactional id's name. */
  readonly group: string
}

/** The consumer group of a station that a test starts by itself. */
export const groupOf = (station: string, group: string): string => `${group}.${station.replaceAll(' ', '-')}`

/** So that a selection of these tests is in several parts, each of several chunks. */
export const layout: EmissionLayout = { chunkDocuments: 1500, partChunks: 3 }

export const consolePorts = (): Omit<ConsolePorts, 'store' | 'output'> => ({
  selections: {
    // biome-ignore lint/correctness/useYield: no run of these tests counts what was read
    selection: async function* (manifest: Manifest): AsyncGenerator<DocumentId[]> {
      throw new Error(`nobody asks for the selection of round ${manifest.round}`)
    },
  },
  // No deadline passes.
  now: () => 0,
  layout,
})
