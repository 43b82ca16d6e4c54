import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { Metrics } from '../../services/runtime/metrics/metrics.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

interface Known {
  readonly name: string
  readonly type: string
  readonly labelNames?: readonly string[]
}
const known = new Metrics(() => 0).registry.getMetricsAsArray() as unknown as Known[]
/** Every series there is, with its own labels; `up` is Prometheus's. */
const series = new Map<string, readonly string[]>([['up', []]])
for (const { name, type, labelNames = [] } of known) {
  series.set(name, labelNames)
  if (type !== 'histogram') continue
  for (const suffix of ['_bucket', '_sum', '_count']) series.set(name + suffix, [...labelNames, 'le'])
}
const scrapeLabels = ['job', 'instance']

/** What an expression asks for, without what PromQL means by itself. */
function usedIn(expr: string): { names: string[]; labels: string[] } {
  const labels = [...expr.matchAll(/\{([^}]*)\}/g)].flatMap(([, inside]) =>
    [...inside!.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label!),
  )
  const grouped = [...expr.matchAll(/\b(?:by|on|without|ignoring)\s*\(([^)]*)\)/g)].flatMap(([, inside]) =>
    inside!.split(',').map((label) => label.trim()),
  )
  const names = expr
    .replaceAll(/"[^"]*"|\{[^}]*\}|\[[^\]]*\]/g, ' ')
    .replaceAll(/\b(?:by|on|without|ignoring)\s*\([^)]*\)/g, ' ')
    .matchAll(/[A-Za-z_:][\w:]*/g)
  const words = [...names].map(([name]) => name)
  const operators = /^(and|or|unless|bool|sum|min|max|avg|rate|increase|deriv|changes|time|histogram_quantile|e\d+)$/
  return { names: words.filter((word) => !operators.test(word)), labels: [...labels, ...grouped] }
}

const rules = (
  parse(read('deploy/prometheus/alerts.yaml')) as { groups: { rules: { alert: string; expr: string }[] }[] }
).groups
  .flatMap((group) => group.rules)
  .map(({ alert, expr }) => [alert, expr] as const)
const dashboard = JSON.parse(read('deploy/grafana/dashboards/winnow.json')) as {
  uid: string
  templating: { list: { query: { query: string } }[] }
  panels: { title: string; datasource?: { uid: string }; targets?: { expr: string }[] }[]
}
const panels = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const))

describe('alerts and dashboard query metrics that exist', () => {
  test.each([...rules, ...panels])('%s', (_title, expr) => {
    const { names, labels } = usedIn(expr)
    expect(names.length).toBeGreaterThan(0)
    for (const name of names) expect([...series.keys()]).toContain(name)
    const allowed = [...scrapeLabels, ...names.flatMap((name) => series.get(name) ?? [])]
    for (const label of labels) expect(allowed).toContain(label)
  })

  test('a query of a metric that does not exist would be found', () => {
    expect(usedIn('sum by (run) (rate(winnow_nonsense_total{run="a"}[5m])) > 0')).toEqual({
      names: ['winnow_nonsense_total'],
      labels: ['run', 'run'],
    })
  })

  test('every metric of winnow is on the dashboard', () => {
    const used = panels.flatMap(([, expr]) => usedIn(expr).names).join(' ')
    for (const { name } of known.filter(({ name }) => name.startsWith('winnow_'))) expect(used).toContain(name)
  })

  test('the dashboard has a fixed uid, and its panels use the provisioned data source', () => {
    const source = (
      parse(read('deploy/grafana/provisioning/datasources/prometheus.yaml')) as { datasources: { uid: string }[] }
    ).datasources[0]!
    expect(dashboard.uid).toBe('winnow')
    for (const { datasource, targets } of dashboard.panels) if (targets) expect(datasource?.uid).toBe(source.uid)
    expect([...series.keys()]).toContain(/label_values\((\w+),/.exec(dashboard.templating.list[0]!.query.query)![1])
  })
})

const promtool = spawnSync('promtool', ['--version']).status === 0
describe.skipIf(!promtool)(`promtool${promtool ? '' : ' (skipped: it is not installed)'}`, () => {
  test('accepts rules and configuration', () => {
    expect(
      execFileSync('promtool', ['check', 'config', file('deploy/prometheus/prometheus.yaml')], { encoding: 'utf8' }),
    ).toContain('SUCCESS')
  })

  test('confirms when each alert fires', () => {
    expect(
      execFileSync('promtool', ['test', 'rules', file('test/deploy/alerts.promtool.yaml')], { encoding: 'utf8' }),
    ).toContain('SUCCESS')
  })
})
