// Completes package-lock.json with the platform packages that `npm install` leaves out when a registry mirror lacks them:
// `npm ci` refuses a lock file that does not name every optional dependency, even those of other platforms. Removes the packages' Node
// requirements: npm would compare them with the Node that npm itself runs under and warn, but everything runs under the Node of deploy/node.
// Run after `npm install`: node deploy/tools/complete-lockfile.mjs
import fs from 'node:fs'

const file = new URL('../../package-lock.json', import.meta.url)
const lock = JSON.parse(fs.readFileSync(file, 'utf8'))
const platform = (name) => {
  const os = ['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'sunos', 'aix', 'win32'].find((o) =>
    name.includes(o),
  )
  const cpu = ['arm64', 'x64', 'ia32', 'arm', 'ppc64', 's390x', 'riscv64', 'loong64', 'mips64el', 'wasm32'].find((c) =>
    name.includes(c),
  )
  return { ...(os && { os: [os] }), ...(cpu && { cpu: [cpu] }) }
}
let added = 0
for (const entry of Object.values({ ...lock.packages })) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (lock.packages[`node_modules/${name}`] || !/^\d/.test(version)) continue
    const dev = entry.dev && { dev: true }
    lock.packages[`node_modules/${name}`] = { version, ...dev, optional: true, ...platform(name) }
    added++
  }
}
for (const [path, entry] of Object.entries(lock.packages)) {
  if (path !== '') delete entry.engines
  // See deploy/node/bin/node.
  if (/^node_modules\/node-(bin-)?(linux|darwin)-/.test(path)) delete entry.bin
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
fs.writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`${added} platform packages added`)
