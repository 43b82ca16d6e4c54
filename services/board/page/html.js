import htm from 'htm'
import { h } from 'preact'

/** JSX without a compiler: html`<p>${text}</p>`. */
export const html = htm.bind(h)
