import { graphlib, layout } from 'dagre'
import { shortTopic } from './format.js'

const nameMax = 26
/** A box as wide as its name needs. */
export const stationSize = (name) => ({ width: Math.max(132, Math.min(name.length, nameMax) * 7.9 + 36), height: 50 })
export const topicSize = (topic) => ({
  width: Math.max(124, Math.min(shortTopic(topic).length, nameMax) * 7 + 26),
  height: 44,
})
export const cut = (name) => (name.length > nameMax ? `${name.slice(0, nameMax - 1)}…` : name)

/** The topics that stations write or read, and which stations do. */
export function topicsOf({ stations }) {
  const names = new Set(stations.flatMap(({ writes, reads }) => [...writes, ...reads]))
  return [...names].map((topic) => ({
    topic,
    from: stations.filter(({ writes }) => writes.includes(topic)).map(({ name }) => name),
    to: stations.filter(({ reads }) => reads.includes(topic)).map(({ name }) => name),
  }))
}

/** Positions of stations, topics and edges. If no topic joins corpus and run, they are two pictures, one below the other. */
export function arrange(info, isNarrow) {
  const topics = topicsOf(info).filter(({ topic }) => topic !== 'winnow.dead-letters')
  const parts = components(info.stations, topics).map((part) => arrangeOne(part, isNarrow ? 'TB' : 'LR'))
  const width = Math.max(...parts.map((part) => part.width))
  const arranged = { stations: [], topics: [], edges: [], width, height: 0 }
  for (const part of parts) {
    const by = { x: (width - part.width) / 2, y: arranged.height }
    const moved = (node) => ({ ...node, x: node.x + by.x, y: node.y + by.y })
    arranged.stations.push(...part.stations.map(moved))
    arranged.topics.push(...part.topics.map(moved))
    arranged.edges.push(...part.edges.map((edge) => ({ ...edge, path: curve(edge.points.map(moved)) })))
    arranged.height += part.height + 18
  }
  return arranged
}

/** Groups of stations connected by topics; the largest first only if the description says so. */
function components(stations, topics) {
  const left = new Set(stations)
  const parts = []
  while (left.size > 0) {
    const part = new Set()
    const reach = (station) => {
      if (!left.delete(station)) return
      part.add(station.name)
      for (const { from, to } of topics) {
        const near = [...from, ...to]
        if (near.includes(station.name)) for (const next of stations) if (near.includes(next.name)) reach(next)
      }
    }
    reach([...left][0])
    parts.push({
      stations: stations.filter(({ name }) => part.has(name)),
      topics: topics.filter(({ from, to }) => [...from, ...to].some((name) => part.has(name))),
    })
  }
  return parts
}

function arrangeOne({ stations, topics }, rankdir) {
  const graph = new graphlib.Graph()
    .setGraph({ rankdir, nodesep: 16, ranksep: 30, marginx: 6, marginy: 8 })
    .setDefaultEdgeLabel(() => ({}))
  for (const { name } of stations) graph.setNode(`s ${name}`, stationSize(name))
  for (const { topic } of topics) graph.setNode(`t ${topic}`, topicSize(topic))
  const edges = topics.flatMap(({ topic, from, to }) => [
    ...from.map((name) => ({ a: `s ${name}`, b: `t ${topic}`, topic })),
    ...to.map((name) => ({ a: `t ${topic}`, b: `s ${name}`, topic, to: name })),
  ])
  for (const { a, b } of edges) graph.setEdge(a, b)
  layout(graph)
  // Edges may run beyond the outermost boxes.
  const all = edges.flatMap(({ a, b }) => graph.edge(a, b).points)
  const range = (axis, size) => [
    Math.min(0, ...all.map((point) => point[axis] - 6)),
    Math.max(size, ...all.map((point) => point[axis] + 6)),
  ]
  const [left, right] = range('x', graph.graph().width)
  const [top, bottom] = range('y', graph.graph().height)
  const moved = ({ x, y }) => ({ x: x - left, y: y - top })
  return {
    stations: stations.map((station) => ({ ...station, ...moved(graph.node(`s ${station.name}`)) })),
    topics: topics.map(({ topic }) => ({ topic, ...moved(graph.node(`t ${topic}`)) })),
    edges: edges.map(({ a, b, topic, to }) => ({ topic, to, points: graph.edge(a, b).points.map(moved) })),
    width: right - left,
    height: bottom - top,
  }
}

/** A curve through the middles of the segments, with the points as handles: smooth, and never outside of them. */
function curve(points) {
  const at = ({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`
  const middle = (a, b) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 })
  let path = `M${at(points[0])}`
  for (let i = 1; i < points.length - 1; i++) {
    const end = i === points.length - 2 ? points[i + 1] : middle(points[i], points[i + 1])
    path += `Q${at(points[i])} ${at(end)}`
  }
  return points.length === 2 ? `${path}L${at(points[1])}` : path
}
