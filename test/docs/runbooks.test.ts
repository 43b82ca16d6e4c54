import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { anchorsOf } from './citations.ts'

const read = (file: string): string => readFileSync(join(import.meta.dirname, '../..', file), 'utf8')

interface Alert {
  readonly alert: string
  readonly annotations: { readonly runbook_url?: string; readonly description?: string }
}
interface Expected {
  readonly alertname: string
  readonly exp_alerts: { readonly exp_annotations: Alert['annotations'] }[]
}
const alerts = (parse(read('deploy/prometheus/alerts.yaml')) as { groups: { rules: Alert[] }[] }).groups.flatMap(
  ({ rules }) => rules,
)
const runbooks = read('docs/runbooks.md')
const sections = new Map(
  runbooks
    .split('# Backup and restore')[0]!
    .split(/^## /m)
    .slice(1)
    .map((text) => [text.split('\n')[0]!, text]),
)

describe('every alert leads to a runbook that says what it means, what to look at and what to do', () => {
  test.each(alerts.map(({ alert, annotations }) => [alert, annotations.runbook_url] as const))('%s', (alert, url) => {
    expect(url).toBe(`docs/runbooks.md#${alert.toLowerCase()}`)
    expect(anchorsOf(runbooks)).toContain(alert.toLowerCase())
    for (const part of ['Means', 'Look at', 'Do'])
      expect(sections.get(alert)).toMatch(new RegExp(`^- \\*\\*${part}:\\*\\* .{20}`, 'm'))
  })

  test('and no runbook is left of an alert that is gone', () => {
    expect([...sections.keys()].sort()).toEqual(alerts.map(({ alert }) => alert).sort())
  })
})

test('what promtool is told to expect of an alert is what the alert says', () => {
  const { tests } = parse(read('test/deploy/alerts.promtool.yaml')) as { tests: { alert_rule_test: Expected[] }[] }
  const expected = tests
    .flatMap(({ alert_rule_test }) => alert_rule_test)
    .flatMap(({ alertname, exp_alerts }) => exp_alerts.map(({ exp_annotations }) => ({ alertname, exp_annotations })))
    .filter(({ exp_annotations }) => exp_annotations !== undefined)
  expect(expected.length).toBeGreaterThan(2)
  for (const { alertname, exp_annotations } of expected) {
    const { runbook_url, description } = alerts.find(({ alert }) => alert === alertname)!.annotations
    expect(exp_annotations).toMatchObject({ runbook_url, description })
  }
})
