import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../services/config/load.ts'
import { called } from '../support/called.ts'

const file = (path: string) => fileURLToPath(new URL(`../../deploy/${path}`, import.meta.url))
const read = (path: string) => readFileSync(file(path), 'utf8')

interface Service {
  readonly image: string
  readonly build?: { context: string; dockerfile: string }
  readonly command?: string[]
  readonly entrypoint?: string[]
  readonly ports?: string[]
  readonly volumes?: string[]
  readonly depends_on?: Record<string, { condition: string }> | string[]
  readonly read_only?: boolean
  readonly healthcheck?: { test?: string[]; start_period?: string; disable?: boolean }
}
const compose = parse(read('compose.yaml'), { merge: true }) as {
  services: Record<string, Service>
  volumes: Record<string, null>
}
const services = Object.entries(compose.services)
const own = services.filter(([, { image }]) => image.startsWith('winnow:'))
const config = loadConfig({ file: file('compose/winnow.yaml'), env: {} })

test('every winnow service and everything it depends on is in the compose file', () => {
  expect(Object.keys(compose.services)).toEqual(
    expect.arrayContaining([
      'kafka',
      'registry',
      'clickhouse',
      'prometheus',
      'grafana',
      'label-sink',
      'decontamination',
      'duplicates',
      'stations',
      'board',
      'trainer',
    ]),
  )
  for (const { name } of config.actors) {
    const labeler = compose.services[`labeler-${name}`]
    expect(labeler?.command?.slice(0, 4)).toEqual(['run', 'labeler', '--actor', name])
  }
})

test('nothing is taken for unhealthy while all start at once on a small machine', () => {
  const checks = services.filter(([, { healthcheck }]) => healthcheck?.test !== undefined)
  expect(checks.length).toBeGreaterThan(own.length / 2)
  for (const [name, { healthcheck }] of checks) expect([name, healthcheck!.start_period]).toEqual([name, '300s'])
})

test.each(services)(
  '%s pins its image to one version and publishes ports on loopback only',
  (_name, { image, ports = [] }) => {
    expect(image).toMatch(/:v?\d+\.\d+/)
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
  },
)

test('no port is published twice', () => {
  const published = services.flatMap(([, { ports = [] }]) => ports.map((port) => port.split(':')[1]))
  expect(new Set(published).size).toBe(published.length)
})

test.each(services)(
  '%s mounts files that exist, and waits only for services that have a health check',
  (_name, { volumes = [], depends_on = {} }) => {
    for (const volume of volumes) {
      const source = volume.replace(/^\$\{\w+:-([^}]*)\}/, '$1').split(':')[0]!
      if (source.startsWith('.')) expect(existsSync(file(source)), source).toBe(true)
      else expect(Object.keys(compose.volumes)).toContain(source)
    }
    const needed = Array.isArray(depends_on)
      ? depends_on.map((name) => [name, { condition: '' }] as const)
      : Object.entries(depends_on)
    for (const [name, { condition }] of needed) {
      expect(Object.keys(compose.services)).toContain(name)
      if (condition === 'service_healthy') expect(compose.services[name]!.healthcheck?.test?.length).toBeGreaterThan(0)
    }
  },
)

test.each(own)(
  '%s runs an existing winnow command with options that the command has',
  (_name, { command = [], entrypoint, build }) => {
    expect(build).toEqual({ context: '..', dockerfile: 'Dockerfile' })
    expect(existsSync(file('../Dockerfile'))).toBe(true)
    const words = entrypoint === undefined ? command : entrypoint.slice(2)
    const { command: found, options, missing } = called(words)
    if (words.length > 0) expect(found.commands).toEqual([])
    for (const option of options) expect(found.options.map(({ long }) => long)).toContain(option)
    expect(missing).toEqual([])
  },
)

test.each(own)('%s has a read-only root file system and no capabilities', (_name, service) => {
  expect(service).toMatchObject({
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    tmpfs: ['/tmp', '/data:uid=1000,gid=1000'],
  })
})

test('winnow.yaml, Prometheus and Grafana address the services by their names in the compose file', () => {
  const names = Object.keys(compose.services)
  const hosts = [
    ...config.kafka.brokers.map((broker) => broker.split(':')[0]!),
    new URL(config.registry.url!).hostname,
    new URL(config.clickhouse.url!).hostname,
  ]
  for (const host of hosts) expect(names).toContain(host)
  const { scrape_configs } = parse(read('prometheus/prometheus.yaml')) as {
    scrape_configs: { dns_sd_configs: { names: string[]; port: number }[] }[]
  }
  const [scraped] = scrape_configs[0]!.dns_sd_configs
  // Those whose health is asked where their metrics are; the board serves none.
  const asked = own.filter(([, { healthcheck }]) =>
    JSON.stringify(healthcheck?.test)?.includes(`:${config.metrics.port}/`),
  )
  const serving = asked.map(([name]) => name)
  expect([...scraped!.names].sort()).toEqual([...serving].sort())
  expect(scraped!.port).toBe(config.metrics.port)
  const { datasources } = parse(read('grafana/provisioning/datasources/prometheus.yaml')) as {
    datasources: { url: string }[]
  }
  expect(names).toContain(new URL(datasources[0]!.url).hostname)
})

test('the image has every folder that the program imports from', () => {
  const dockerfile = readFileSync(file('../Dockerfile'), 'utf8')
  for (const folder of ['schemas', 'topologies', 'services', 'deploy', 'docs'])
    expect(dockerfile).toContain(`COPY ${folder} ${folder}`)
  const { version, optionalDependencies } = JSON.parse(readFileSync(file('node/package.json'), 'utf8'))
  expect(new Set(Object.values(optionalDependencies))).toEqual(new Set([version]))
  expect(dockerfile).toContain(`FROM node:${version}-`)
})

test('with encrypted texts every service that reads texts has the folder of master keys, and one command writes into it', () => {
  const { services: encrypted } = parse(read('compose.encryption.yaml'), { merge: true }) as {
    services: Record<string, { environment: Record<string, string>; volumes: string[] }>
  }
  const reading = own.map(([name]) => name).filter((name) => name !== 'label-sink')
  expect(Object.keys(encrypted).sort()).toEqual(reading.sort())
  for (const [name, { environment: given, volumes }] of Object.entries(encrypted)) {
    const { corpus } = loadConfig({ file: file('compose/winnow.yaml'), env: given })
    const [source, folder, access] = volumes[0]!.replace(/^\$\{(KEYS):\?[^}]*\}/, '$1').split(':')
    expect([volumes.length, source, access]).toEqual([1, 'KEYS', name === 'winnow' ? undefined : 'ro'])
    // A folder: the file in it is replaced by another when its keys are rotated.
    expect(corpus.encryption).toBe(`${folder}/master-keys.json`)
  }
})

const plugin = spawnSync('docker', ['compose', 'version']).status === 0
const oidc = ['OIDC_ISSUER_URL', 'OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET', 'COOKIE_SECRET', 'BOARD_PROXY_SECRET']
test.skipIf(!plugin).each([
  { name: 'alone', beside: [], env: {} },
  { name: 'with encryption', beside: ['compose.encryption.yaml'], env: { KEYS: '/keys' } },
  {
    name: 'with OpenID',
    beside: ['compose.oidc.yaml'],
    env: Object.fromEntries(oidc.map((name) => [name, 'http://given'])),
  },
])(
  `docker compose accepts the file, $name${plugin ? '' : ' (skipped: the compose plugin is not installed)'}`,
  ({ beside, env }) => {
    const files = ['compose.yaml', ...beside].flatMap((name) => ['-f', file(name)])
    const config = ['compose', ...files, '--profile', 'run', '--profile', 'tools', 'config', '--quiet']
    expect(() => execFileSync('docker', config, { stdio: 'pipe', env: { ...process.env, ...env } })).not.toThrow()
  },
)
