import { createServer } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { loadConfig } from '../../../../services/config/load.ts'
import { Metrics } from '../../../../services/runtime/metrics/metrics.ts'
import { type MetricsServer, serveMetrics } from '../../../../services/runtime/metrics/server.ts'

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

const defaults = loadConfig({ env: {}, folder: '/nowhere' }).metrics
async function serve(config: Partial<typeof defaults> = { port: 0 }): Promise<MetricsServer> {
  const server = await serveMetrics(new Metrics(() => 0), { ...defaults, ...config })
  open.push(server)
  return server
}

/** A port that somebody is on. */
async function taken(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(server)
  return (server.address() as { port: number }).port
}

describe('a metrics server', () => {
  test('serves metrics and health on loopback, and nothing else', async () => {
    const { url } = await serve()
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/)
    const metrics = await fetch(url)
    expect(metrics.headers.get('content-type')).toContain('text/plain')
    expect(await metrics.text()).toContain('process_resident_memory_bytes')
    expect((await fetch(new URL('/healthz', url))).status).toBe(200)
    expect((await fetch(new URL('/', url))).status).toBe(404)
    expect((await fetch(url, { method: 'POST' })).status).toBe(405)
  })

  test('requires the token if one is set', async () => {
    const token = 'a-token-of-some-length'
    const { url } = await serve({ port: 0, token })
    expect((await fetch(url)).status).toBe(401)
    expect((await fetch(url, { headers: { authorization: 'Bearer a-token-of-some-lengtk' } })).status).toBe(401)
    expect((await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200)
  })

  test('reports the health of the service’s dependencies at /healthz', async () => {
    let nowMs = 0
    const metrics = new Metrics(() => nowMs)
    let asked = 0
    let errors: Error[] = []
    metrics.dependsOn(async () => {
      asked++
      return errors
    })
    const token = 'a-token-of-some-length'
    const server = await serveMetrics(metrics, { ...defaults, port: 0, token })
    open.push(server)
    const health = async (headers: Record<string, string> = {}) => {
      const answer = await fetch(new URL('/healthz', server.url), { headers })
      return [answer.status, await answer.text()]
    }
    expect(await health()).toEqual([200, 'ok\n'])
    errors = [new Error('Kafka at broker-1:9092 does not answer within 4 s')]
    // Asked at most every two seconds.
    expect([await health(), asked]).toEqual([[200, 'ok\n'], 1])
    nowMs = 2000
    // Who does not know the token is not told where things are.
    expect(await health()).toEqual([503, 'something that this service depends on does not answer\n'])
    expect(await health({ authorization: `Bearer ${token}` })).toEqual([503, `${errors[0]!.message}\n`])
  })

  test('is ready once everything has started, while dependencies answer and until it is told to end; it lives all the time', async () => {
    const metrics = new Metrics(() => 0)
    const server = await serveMetrics(metrics, { ...defaults, port: 0 })
    open.push(server)
    const asked = async (path: string) => {
      const answer = await fetch(new URL(path, server.url))
      return [answer.status, await answer.text()]
    }
    expect(await asked('/readyz')).toEqual([503, 'this process is starting\n'])
    expect(await asked('/livez')).toEqual([200, 'ok\n'])
    const end = new AbortController()
    metrics.readiness.serveUntil(end.signal)
    expect(await asked('/readyz')).toEqual([200, 'ok\n'])
    end.abort()
    expect(await asked('/readyz')).toEqual([503, 'this process is ending\n'])
    expect(await asked('/livez')).toEqual([200, 'ok\n'])
  })

  test('is not ready while a dependency does not answer, though it lives', async () => {
    const metrics = new Metrics(() => 0)
    metrics.dependsOn(async () => [new Error('ClickHouse at http://ch:8123 does not answer within 4 s')])
    metrics.readiness.serveUntil(new AbortController().signal)
    const server = await serveMetrics(metrics, { ...defaults, port: 0 })
    open.push(server)
    const ready = await fetch(new URL('/readyz', server.url))
    expect([ready.status, await ready.text()]).toEqual([
      503,
      'ClickHouse at http://ch:8123 does not answer within 4 s\n',
    ])
    expect((await fetch(new URL('/livez', server.url))).status).toBe(200)
  })

  test('answers on loopback only to its own names, so that a page in a browser cannot read it', async () => {
    const { url } = await serve()
    const { port } = new URL(url)
    const { request } = await import('node:http')
    const status = await new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, path: '/metrics', headers: { host: `evil.example:${port}` } })
      asked.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject)
      asked.end()
    })
    expect(status).toBe(403)
  })

  test('refuses a reachable address without a token, unless openly is set', async () => {
    await expect(serve({ port: 0, host: '0.0.0.0' })).rejects.toMatchObject({ code: 'CONFIGURATION' })
    const { url } = await serve({ port: 0, host: '0.0.0.0', openly: true })
    expect((await fetch(url.replace('0.0.0.0', '127.0.0.1'))).status).toBe(200)
  })

  test('reports a configured port that is taken, and otherwise takes another', async () => {
    const port = await taken()
    await expect(serve({ port })).rejects.toMatchObject({ code: 'CONFIGURATION' })
    const both = await Promise.all([serve({}), serve({})])
    expect(new Set(both.map(({ url }) => url)).size).toBe(2)
  })
})
