/** A view and its settings, as in the address: #/selection?run=a&round=3. Every view can be restored from it. */
export function readRoute() {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?')
  return { view: path || 'dataflow', settings: Object.fromEntries(new URLSearchParams(query)) }
}

export function hashOf(view, settings) {
  const query = new URLSearchParams(Object.entries(settings).filter(([, value]) => value !== undefined && value !== ''))
  return `#/${view}${query.size > 0 ? `?${query}` : ''}`
}

/** Changes settings of the current view. Replaces the history entry for a dragged slider, which should not fill the history. */
export function set(changes, { replace = false } = {}) {
  const { view, settings } = readRoute()
  const hash = hashOf(view, { ...settings, ...changes })
  if (!replace) location.hash = hash
  else {
    history.replaceState(null, '', hash)
    dispatchEvent(new HashChangeEvent('hashchange'))
  }
}

/** What a view has open beside itself, by its setting. */
const panels = ['topic', 'station', 'id', 'at']

/** Closes what is open. @returns the view without it is shown */
export function closed() {
  const { settings } = readRoute()
  const open = panels.filter((panel) => settings[panel] !== undefined)
  // On dead letters a topic is a filter, which stays while a letter is open.
  const [last] = open.includes('at') ? ['at'] : open
  if (last !== undefined) set({ [last]: undefined })
}
