/** Starts the test servers of its environment, says which and whether they start, and stops them. For servers.test.ts. */
import { startServers } from './servers.ts'

const say = (line: string) => console.log(line)
try {
  const servers = await startServers(process.env, say)
  say(`started: ${servers.brokers}`)
  await servers.stop()
} catch (error) {
  say(`failed: ${error}`)
}
process.exit(0)
