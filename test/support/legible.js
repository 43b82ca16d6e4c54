/**
 * Runs in a page. Every visible piece of text is looked at: its size on the screen and its contrast with what is behind it (WCAG 2.2, 1.4.3:
 * 4.5 to 1, large text 3 to 1; disabled controls are exempt). What is outside the viewport is not looked at.
 * @returns how many pieces were looked at, and a sentence for each that is too small or too faint
 */
export function illegible(pixelsMin) {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true })
  const known = new Map()
  /** [r, g, b, alpha], each 0 to 1, of any CSS colour. */
  const rgba = (color) => {
    if (known.has(color)) return known.get(color)
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = color
    canvas.fillRect(0, 0, 1, 1)
    const parts = [...canvas.getImageData(0, 0, 1, 1).data].map((part) => part / 255)
    known.set(color, parts)
    return parts
  }
  const over = ([r, g, b, alpha], below) => [r, g, b].map((part, i) => part * alpha + below[i] * (1 - alpha))
  const luminance = (color) => {
    const [r, g, b] = color.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b)
    return (high + 0.05) / (low + 0.05)
  }
  const opacityOf = (element) => {
    let opacity = 1
    for (let one = element; one; one = one.parentElement) opacity *= Number(getComputedStyle(one).opacity)
    return opacity
  }
  /** What an element paints behind its text. */
  const paintOf = (element) => {
    const style = getComputedStyle(element)
    if (!(element instanceof SVGElement) || element.tagName === 'svg') return rgba(style.backgroundColor)
    if (element.tagName === 'text' || element.tagName === 'tspan' || style.fill === 'none') return [0, 0, 0, 0]
    const [r, g, b, alpha] = rgba(style.fill)
    return [r, g, b, alpha * Number(style.fillOpacity) * opacityOf(element)]
  }
  const behind = (stack) => stack.reduceRight((below, element) => over(paintOf(element), below), [1, 1, 1])

  const problems = []
  let looked = 0
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.data.trim()
    const element = node.parentElement
    if (text === '' || element.closest('script, style, title, option, :disabled')) continue
    const range = document.createRange()
    range.selectNodeContents(node)
    const box = range.getClientRects()[0]
    if (!box || box.width === 0 || box.height === 0) continue
    const stack = document.elementsFromPoint(box.left + Math.min(box.width / 2, 20), box.top + box.height / 2)
    const at = stack.findIndex((one) => element === one || element.contains(one))
    if (at === -1) continue
    looked++
    const style = getComputedStyle(element)
    const isSvg = element instanceof SVGElement
    const matrix = isSvg ? element.getScreenCTM() : undefined
    const scale = matrix ? Math.sqrt(Math.abs(matrix.a * matrix.d - matrix.b * matrix.c)) : 1
    const pixels = Number.parseFloat(style.fontSize) * scale
    const ground = behind(stack.slice(at))
    const [r, g, b, alpha] = rgba(isSvg ? style.fill : style.color)
    const found = contrast(over([r, g, b, alpha * opacityOf(element)], ground), ground)
    const isLarge = pixels >= 24 || (pixels >= 18.66 && Number(style.fontWeight) >= 700)
    const name = `"${text.slice(0, 40)}" (${element.closest('figure, section, header, table, p')?.className || element.tagName})`
    if (pixels < pixelsMin - 0.05) problems.push(`${name} is ${pixels.toFixed(1)} pixels high`)
    if (found < (isLarge ? 3 : 4.5)) problems.push(`${name} has a contrast of ${found.toFixed(2)}`)
  }
  return { looked, problems: [...new Set(problems)] }
}
