"use strict"
Bokeh.set_log_level("warn")
// Draws the charts that can be seen, one after another, the first ones first; the page stays usable meanwhile. What is
// folded is drawn when it is opened.
const views = new Map()

const folded = (place) => place.closest("details:not([open])") !== null

async function draw() {
  for (const script of document.querySelectorAll("script.chart")) {
    const name = script.dataset.chart
    const place = document.getElementById(name)
    if (place.dataset.drawn || folded(place)) continue
    place.dataset.drawn = "begun"
    try {
      const item = JSON.parse(script.textContent)
      fit(item, place.clientWidth)
      const drawn = await Bokeh.embed.embed_item(item, name)
      views.set(name, drawn.roots[0])
      for (const plot of figures(drawn.roots[0])) plot.canvas_view.events_el.tabIndex = -1 // the chart is one stop
      tint(drawn.roots[0])
      scale(name)
      await painted(views.get(name).model.document)
      follow(name, views.get(name))
      await painted(views.get(name).model.document)
    } catch (error) {
      place.textContent = `This chart could not be drawn: ${error}`
      console.error(error)
    }
    place.dataset.drawn = "yes"
  }
  document.body.dataset.drawn = "yes"
}

addEventListener("toggle", draw, true)

function named(hash) {
  try {
    return document.getElementById(decodeURIComponent(hash))
  } catch {  // no name that a page has: a malformed one
    return null
  }
}

// A link into something that is folded opens it.
function unfold() {
  const target = named(location.hash.slice(1))
  for (let fold = target?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true
  target?.scrollIntoView()
}
addEventListener("hashchange", unfold)

function painted(bokeh_document) {
  return new Promise((resolve) => (bokeh_document.is_idle ? resolve() : bokeh_document.idle.connect(resolve)))
}

// What is no data has its colours from the page: painted anew when that goes from light to dark.
function* figures(view) {
  if (view.request_repaint) yield view
  for (const child of view.child_views ?? []) yield* figures(child)
}

// Borders between tasks have the colour of the page, and the end of the ideal that of its text.
function tint(view) {
  const page = getComputedStyle(document.documentElement)
  for (const { model } of figures(view)) {
    for (const label of model.center.filter((one) => one.type === "Label")) {
      label.background_fill_color = page.getPropertyValue("--paper").trim() // what crosses it does not strike it out
    }
    for (const drawn of model.renderers) {
      if ("hatch_color" in drawn.glyph && !drawn.tags.includes("ink")) drawn.glyph.hatch_color = page.getPropertyValue("--paper").trim()
      if (drawn.tags.includes("edged")) drawn.glyph.line_color = page.getPropertyValue("--paper").trim()
      if (!drawn.tags.includes("ink")) continue
      const inked = ["text_color", "hatch_color", "line_color"].find((one) => one in drawn.glyph)
      drawn.glyph[inked] = page.getPropertyValue("--ink").trim()
    }
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const view of views.values()) {
    tint(view)
    for (const plot of figures(view)) plot.request_repaint()
  }
})

// A printer does not wait: the page has its charts as plain SVG, too, and unfolds for it.
addEventListener("beforeprint", () => {
  document.documentElement.classList.add("paper")
  for (const fold of document.querySelectorAll("details:not([open]):not(.tables, .help)")) {
    fold.open = true
    fold.dataset.printed = "yes"
  }
})
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("paper")
  for (const fold of document.querySelectorAll("details[data-printed]")) {
    fold.open = false
    delete fold.dataset.printed
  }
})

// Charts get their room from the page, as only it knows their width: the lines of a title, the columns of a legend, the
// words of marks. A narrow page leaves less beside them, too.
const NARROW = 600
const STANDOFF = 5 // pixels between a legend's picture and its words
const ruler = document.createElement("canvas").getContext("2d")

function widthOf(words, size = "14px", weight = "") {
  ruler.font = `${weight} ${size} sans-serif`
  return ruler.measureText(words).width
}

// Fits the figures of a chart, before it is drawn, into a place so many pixels wide.
function fit(item, wide) {
  const narrow = innerWidth <= NARROW
  for (const { attributes } of parts(item, "Figure")) {
    if (narrow) {
      attributes.min_border_left = 76
      attributes.min_border_right = 10
    }
    const room = wide - attributes.min_border_left - attributes.min_border_right
    const title = attributes.title?.attributes
    if (title?.text) {
      const lines = wrapped(title.text, room, "bold")
      title.text = lines.join("\n")
      attributes.height += 18 * (lines.length - 1)
    }
    for (const { attributes: legend } of parts(attributes.above ?? [], "Legend")) {
      const entries = [...parts(legend.items, "LegendItem")].map((entry) => entry.attributes.label.value)
      const widths = entries.map((words) => widthOf(words) + legend.glyph_width + STANDOFF)
      legend.ncols = widths.length
      while (legend.ncols > 1 && total(widths, legend.ncols, legend.spacing) > room) legend.ncols--
      attributes.height += 30 * (Math.ceil(widths.length / legend.ncols) - 1)
    }
  }
}

// The parts of a chart of one kind, wherever in its JSON.
function* parts(item, kind) {
  if (item === null || typeof item !== "object") return
  if (item.name === kind && item.attributes) yield item
  for (const part of Object.values(item)) yield* parts(part, kind)
}

// The lines of these words in so much room: broken between their parts, or else between words.
function wrapped(text, room, weight) {
  const lines = [""]
  for (const word of text.split(" ")) {
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word
    if (widthOf(longer, "14px", weight) <= room || !lines.at(-1)) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}

// The width of entries in so many columns, each as wide as its widest entry.
function total(wide, columns, spacing) {
  let sum = spacing * (columns + 1)
  for (let column = 0; column < columns; column++) {
    sum += Math.max(...wide.filter((_, index) => index % columns === column))
  }
  return sum
}

// The words of a mark stand to its right or, if there is no room before the next, to its left; pointing tells the rest.
function nameMarks(view) {
  for (const plot of figures(view)) {
    const words = plot.model.renderers.find(({ name }) => name === "mark words")
    if (!words) continue
    const { x, row, name } = words.data_source.data
    const at = Array.from(x, (value) => plot.frame.x_scale.compute(value))
    const { left, right } = plot.frame.bbox
    const found = { shown: [], align: [], offset: [] }
    let taken = left
    for (let mark = 0; mark < at.length; mark++) {
      if (row[mark] !== row[mark - 1]) taken = left // the row has words up to here
      const wide = widthOf(name[mark]) + 9 // pixels from the middle of a mark
      const next = row[mark + 1] === row[mark] ? at[mark + 1] : right
      const seen = left <= at[mark] && at[mark] <= right
      const after = seen && at[mark] >= taken && at[mark] + wide <= next
      const before = seen && !after && at[mark] - wide >= taken
      if (after) taken = at[mark] + wide
      else if (before) taken = at[mark]
      found.shown.push(after || before ? name[mark] : "")
      found.align.push(before ? "right" : "left")
      found.offset.push(before ? -9 : 9)
    }
    if (String(found.shown) !== String(words.data_source.data.shown) || String(found.align) !== String(words.data_source.data.align)) {
      words.data_source.data = { ...words.data_source.data, ...found }
    }
  }
}

const later = (view) => requestAnimationFrame(() => requestAnimationFrame(() => nameMarks(view)))

function follow(name, view) {
  nameMarks(view)
  const time = timeOf(name)
  if (!time) return
  for (const end of [time.properties.start, time.properties.end]) {
    end.change.connect(() => {
      later(view)
      together(name, time)
    })
  }
  new ResizeObserver(() => later(view)).observe(view.el)
}

// Time: the range that the figures of a chart share.
function timeOf(name) {
  return views.get(name)?.model.document.get_model_by_name("time")
}

// What a chart shows at first: as much time as the longest case takes, or only its own.
function atFirst(name) {
  const [together, alone] = timeOf(name).tags
  return document.getElementById(name).closest(".run")?.querySelector(".alone:checked") ? alone : together
}

function scale(name) {
  const time = timeOf(name)
  if (!time?.tags.length) return
  const [start, end] = atFirst(name)
  time.setv({ start, end })
}

// Charts that share one axis move together: all cases of a run or, if each has its own, both runs' charts of a case.
function together(name, { start, end }) {
  const place = document.getElementById(name)
  const run = place.closest(".run")
  const shared = run?.querySelector(".scale") && !run.querySelector(".alone:checked") ? run : place.closest(".case")
  if (!shared) return
  for (const other of views.keys()) {
    const time = timeOf(other)
    if (other === name || !time?.tags.length || !shared.contains(document.getElementById(other))) continue
    if (time.start !== start || time.end !== end) time.setv({ start, end })
  }
}

for (const choice of document.querySelectorAll(".scale input")) {
  choice.addEventListener("change", () => {
    for (const [name] of views) if (document.getElementById(name).closest(".run") === choice.closest(".run")) scale(name)
  })
}

const keys = {
  ArrowLeft: (start, end) => [start - 0.1 * (end - start), end - 0.1 * (end - start)],
  ArrowRight: (start, end) => [start + 0.1 * (end - start), end + 0.1 * (end - start)],
  "+": (start, end) => [start + 0.1 * (end - start), end - 0.1 * (end - start)],
  "-": (start, end) => [start - 0.125 * (end - start), end + 0.125 * (end - start)], // undoes "+"
  0: () => [-Infinity, Infinity],
  Home: (start, end, name) => atFirst(name),
}

document.addEventListener("keydown", (event) => {
  const chart = event.target.closest?.(".chart")
  const key = event.key === "=" ? "+" : event.key
  const time = chart && timeOf(chart.id)
  if (!time || !(key in keys) || event.ctrlKey || event.metaKey || event.altKey) return
  const [least, most] = time.bounds
  let [start, end] = keys[key](time.start, time.end, chart.id)
  const width = Math.min(end - start, most - least)
  start = Math.max(least, Math.min(start, most - width))
  time.setv({ start, end: start + width })
  event.preventDefault()
})

// For a still picture: the page's only chart as text, where the program that has opened the page finds it.
function picture(kind) {
  const layer = views.values().next().value.export(kind)
  const found = document.createElement("pre")
  found.id = "picture"
  found.textContent = kind === "svg" ? scalable(layer.ctx.get_serialized_svg(true)) : layer.canvas.toDataURL("image/png")
  document.body.append(found)
}

// Bokeh gives a picture its size in pixels alone.
function scalable(svg) {
  return svg.replace(/<svg [^>]*?width="(\d+)" height="(\d+)"/, (start, width, height) => `${start} viewBox="0 0 ${width} ${height}"`)
}

if (!document.querySelector(".still")) unfold()
draw().then(() => location.hash && document.querySelector(".still") && picture(location.hash.slice(1)))
