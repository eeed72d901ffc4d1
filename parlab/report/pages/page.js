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
      const drawn = await Bokeh.embed.embed_item(JSON.parse(script.textContent), name)
      views.set(name, drawn.roots[0])
      for (const plot of figures(drawn.roots[0])) plot.canvas_view.events_el.tabIndex = -1 // the chart is one stop
      tint(drawn.roots[0])
      fit(drawn.roots[0])
      scale(name)
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
      if ("hatch_color" in drawn.glyph) drawn.glyph.hatch_color = page.getPropertyValue("--paper").trim()
      if (drawn.tags.includes("edged")) drawn.glyph.line_color = page.getPropertyValue("--paper").trim()
      if (!drawn.tags.includes("ink")) continue
      drawn.glyph["text_color" in drawn.glyph ? "text_color" : "line_color"] = page.getPropertyValue("--ink").trim()
    }
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const view of views.values()) {
    tint(view)
    for (const plot of figures(view)) plot.request_repaint()
  }
})

// A printer does not wait. A report has its charts as plain SVG, too, and unfolds for it; of a comparison, which has not,
// pictures are made at once.
addEventListener("beforeprint", () => {
  document.documentElement.classList.add("paper")
  for (const fold of document.querySelectorAll("details:not([open]):not(.tables, .help)")) {
    fold.open = true
    fold.dataset.printed = "yes"
  }
  for (const [name, view] of views) {
    const place = document.getElementById(name)
    if (place.closest(".report")) continue
    const { canvas } = view.export("png")
    canvas.classList.add("printed")
    place.after(canvas)
    place.hidden = true
  }
})
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("paper")
  for (const fold of document.querySelectorAll("details[data-printed]")) {
    fold.open = false
    delete fold.dataset.printed
  }
  for (const canvas of document.querySelectorAll(".printed")) {
    canvas.previousElementSibling.hidden = false
    canvas.remove()
  }
})

// A narrow page has its charts drawn for it: less room beside them, shorter lines above them.
const NARROW = 600
function fit(view) {
  if (innerWidth > NARROW) return
  for (const { model } of figures(view)) {
    model.min_border_left = 64
    model.min_border_right = 10
    let lines = 0
    if (model.title?.text) {
      model.title.text = model.title.text.split("; ")[0]
      model.title.text_font_size = "11px"
    }
    for (const axis of [...model.left, ...model.below]) axis.major_label_text_font_size = "10px"
    for (const legend of [...model.above, ...model.below].filter((one) => one.type === "Legend")) {
      const before = Math.ceil(legend.items.length / legend.ncols)
      legend.ncols = 2
      legend.spacing = 6
      lines += 1.6 * (Math.ceil(legend.items.length / 2) - before)
    }
    model.height += 16 * lines
  }
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
