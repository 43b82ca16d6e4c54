// Sorts a corpus for draws, to be killed on the way. Takes BuildChildOptions as JSON; says when it is done.
import type { ViewOptions } from '../../topologies/corpus-store.ts'
import { childOptions, say } from './crash.ts'
import type { ChildOptions } from './service.ts'

/** What build-child.ts is told. */
export interface BuildChildOptions extends ChildOptions {
  readonly clickHouse: { readonly url: string; readonly database: string }
  readonly view: ViewOptions
  /** Small, so that a build has many steps. */
  readonly rowsPerStep: number
}

const { clickHouse, view, rowsPerStep } = childOptions<BuildChildOptions>()

const { ClickHouseStore } = await import('../../services/corpus/clickhouse-store.ts')
const { createClickHouse } = await import('../../services/runtime/clickhouse/client.ts')

const { sql, close } = await createClickHouse(clickHouse)
const store = new ClickHouseStore(sql, { rowsPerStep })
while ((await store.prepare(view)) !== undefined) await new Promise((resolve) => setTimeout(resolve, 20))
await close()
say('sorted')
