// Preloaded into every process of newcomer.test.ts: writes down where each connection goes.
import { appendFileSync } from 'node:fs'
import net from 'node:net'

const { connect } = net.Socket.prototype
net.Socket.prototype.connect = function (...args) {
  // Normalized arguments are an array; otherwise options, a port with a host, or a path.
  const [first, second] = Array.isArray(args[0]) ? args[0] : args
  const where = typeof first === 'object' ? (first.path ?? first.host ?? 'localhost') : (second ?? 'localhost')
  appendFileSync(process.env.CONNECTIONS_FILE, `${where}\n`)
  return connect.apply(this, args)
}
