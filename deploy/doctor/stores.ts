import { allRecords, subjectOf, type TopicOffset } from '../../schemas/index.ts'
import { ClickHouseStore } from '../../services/corpus/clickhouse-store.ts'
import { httpAddress, type Login, withoutLogin } from '../../services/runtime/address.ts'
import { checkCluster } from '../../services/runtime/clickhouse/check-cluster.ts'
import { createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import { createDatabaseStatement, isUnknownDatabase } from '../../services/runtime/clickhouse/database.ts'
import type { Clock } from '../../services/runtime/clock.ts'
import { type Finding, ok, problem, unreachable, warning } from './finding.ts'

const wanted = 'BACKWARD_TRANSITIVE'
const skewSecondsMax = 5

/** Asks the registry for a path below its address. */
export type AskRegistry = (path: string) => Promise<Response>

export function askRegistry(address: string, login?: Login): AskRegistry {
  const { url, headers } = httpAddress(address, login)
  return (path) => fetch(`${url}${path}`, { signal: AbortSignal.timeout(5000), headers })
}

/** The registry answers, and enforces compatibility for every subject. */
export async function checkRegistry(address: string, login: Login | undefined, now: Clock): Promise<Finding[]> {
  const url = withoutLogin(address)
  const ask = askRegistry(address, login)
  let answer: Response
  try {
    answer = await ask('/subjects')
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } }
    return [
      unreachable(
        'registry',
        `${url} does not answer (${cause?.code ?? error})`,
        'Start it, or correct WINNOW_REGISTRY_URL.',
      ),
    ]
  }
  if (!answer.ok) {
    return [
      problem(
        'registry',
        `${url} answers ${answer.status}`,
        'Check registry.url, registry.username and WINNOW_REGISTRY_PASSWORD.',
      ),
    ]
  }
  // Before anything else is asked: of a slow registry that would count as skew.
  const clock = skew('registry', Date.parse(answer.headers.get('date') ?? ''), now())
  const subjects = (await answer.json()) as string[]
  const own = allRecords.map(subjectOf).filter((subject) => subjects.includes(subject))
  const wrong: Finding[] = []
  for (const subject of own) {
    const config = await ask(`/config/${subject}?defaultToGlobal=true`)
    const { compatibilityLevel } = (await config.json()) as { compatibilityLevel?: string }
    if (compatibilityLevel === wanted) continue
    const mend = `curl -X PUT -H 'content-type: application/json' -d '{"compatibility":"${wanted}"}' ${url}/config/${subject}`
    wrong.push(problem('registry', `subject ${subject} has compatibility ${compatibilityLevel}, not ${wanted}`, mend))
  }
  const version = await registryVersion(address, login)
  return [ok('registry', `${version}, ${own.length} of ${allRecords.length} subjects registered`), ...wrong, ...clock]
}

/** Each has an endpoint of its own for it, behind the same login. */
async function registryVersion(address: string, login: Login | undefined): Promise<string> {
  const { url, headers } = httpAddress(address, login)
  const { origin } = new URL(url)
  for (const [asked, name, field] of [
    [`${origin}/apis/registry/v3/system/info`, 'Apicurio', 'version'],
    [`${url}/v1/metadata/version`, 'Confluent', 'version'],
    [`${url}/_health`, 'Karapace', 'karapace_version'],
  ] as const) {
    const answer = await fetch(asked, { signal: AbortSignal.timeout(5000), headers }).catch(() => undefined)
    if (answer?.ok !== true) continue
    const version = ((await answer.json().catch(() => ({}))) as { [field]?: string })[field]
    if (version !== undefined) return `${name} ${version}`
  }
  return 'of unknown version'
}

export async function checkClickHouse(
  { cluster, ...options }: { url: string; database?: string; cluster?: string; username?: string; password?: string },
  now: Clock,
): Promise<Finding[]> {
  await using opened = new AsyncDisposableStack()
  const clickHouse = opened.adopt(await createClickHouse(options), (one) => one.close())
  try {
    const [row] = await clickHouse.sql.query<{ version: string; ms: string }>(
      'SELECT version() AS version, toString(toUnixTimestamp64Milli(now64(3))) AS ms',
    )
    await checkCluster(clickHouse.sql, cluster)
    const spread = cluster === undefined ? '' : `, cluster ${cluster}`
    return [ok('clickhouse', `${row!.version}${spread}`), ...skew('clickhouse', Number(row!.ms), now())]
  } catch (error) {
    const { code, message, hint } = error as { code?: string; message: string; hint?: string }
    if (isUnknownDatabase(error) && options.database !== undefined) {
      const what = `it has no database ${options.database}; the first service that may will make it`
      return [warning('clickhouse', what, createDatabaseStatement(options.database, cluster))]
    }
    return code === 'UNREACHABLE'
      ? [unreachable('clickhouse', message, 'Start it, or correct WINNOW_CLICKHOUSE_URL.')]
      : [
          problem(
            'clickhouse',
            message,
            hint ?? 'Check clickhouse.username, WINNOW_CLICKHOUSE_PASSWORD and clickhouse.database.',
          ),
        ]
  }
}

/** Clock skew: results do not depend on it, but deadlines of rounds and logs do. HTTP dates have whole seconds. */
export function skew(of: string, theirsMs: number, oursMs: number): Finding[] {
  const seconds = (theirsMs - oursMs) / 1000
  if (!Number.isFinite(seconds) || Math.abs(seconds) < skewSecondsMax) return []
  const mend = 'Synchronize clocks with NTP: deadlines of rounds go by the clock of the console.'
  return [warning('clock', `the clock of ${of} is ${seconds.toFixed(0)} s from this machine's`, mend)]
}

/** How far ClickHouse has what the log had; undefined if it does not say: its own check tells why. */
export async function coveredInClickHouse(
  options: Parameters<typeof createClickHouse>[0],
): Promise<TopicOffset[] | undefined> {
  try {
    await using opened = new AsyncDisposableStack()
    const clickHouse = opened.adopt(await createClickHouse(options), (one) => one.close())
    return await new ClickHouseStore(clickHouse.sql).committed()
  } catch {
    return undefined
  }
}
