// Draws dot's SVG from an allow-list, keeps the view over reruns, and sends the selection back to Python.
const SVG = "http://www.w3.org/2000/svg";
const TAGS = new Set(["svg", "g", "path", "polygon", "polyline", "ellipse", "text", "tspan"]);
const ATTRIBUTES = new Set([
  "id", "class", "d", "points", "cx", "cy", "rx", "ry", "x", "y", "transform",
  "text-anchor", "font-size", "font-weight", "font-style", "viewBox",
]);
const LEGIBLE = 0.95;
const states = new WeakMap();

// A tooltip makes Graphviz wrap shapes in <g><a>: both wrappers fall away, their shapes stay.
const isWrapper = (element) => element.localName === "a" || (element.localName === "g" && !element.getAttribute("class"));

function fill(made, source) {
  for (const child of source.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) made.append(child.data);
    else if (child.nodeType !== Node.ELEMENT_NODE) continue;
    else if (isWrapper(child)) fill(made, child);
    else if (TAGS.has(child.localName)) made.append(copy(child));
  }
}

function copy(source) {
  const made = document.createElementNS(SVG, source.localName);
  for (const { name, value } of source.attributes) if (ATTRIBUTES.has(name)) made.setAttribute(name, value);
  fill(made, source);
  return made;
}

function draw(state, text) {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  if (parsed.localName !== "svg") throw new Error("The layout is no SVG.");
  const svg = copy(parsed);
  svg.querySelector("g.graph > polygon")?.remove(); // the paper
  svg.setAttribute("preserveAspectRatio", "xMidYMid meet");
  svg.setAttribute("role", "group");
  const whole = (svg.getAttribute("viewBox") || "0 0 100 100").split(/[\s,]+/).map(Number);
  state.whole = whole;
  if (!state.view || state.fitted) state.view = [...whole];
  state.items = new Map();
  for (const group of svg.querySelectorAll("g.node, g.edge")) {
    state.items.set(group.id, group);
    if (!group.classList.contains("edge")) continue;
    const path = group.querySelector("path");
    if (!path) continue;
    const hit = path.cloneNode(false);
    hit.setAttribute("class", "hit");
    group.prepend(hit);
  }
  state.svg = svg;
  state.canvas.replaceChildren(svg);
}

function show(state) {
  state.svg.setAttribute("viewBox", state.view.map((v) => v.toFixed(2)).join(" "));
}

function zoom(state, factor, at) {
  const [x, y, w, h] = state.view;
  const [cx, cy] = at || [x + w / 2, y + h / 2];
  const wide = Math.min(Math.max(w * factor, 40), state.whole[2] * 8);
  const real = wide / w;
  state.view = [cx - (cx - x) * real, cy - (cy - y) * real, wide, h * real];
  state.fitted = false;
  show(state);
}

// The first view: the whole graph when it is legible so, else its beginning at a size that can be read.
function begin(state) {
  fit(state);
  const { width, height } = state.canvas.getBoundingClientRect();
  const scale = Math.min(width / state.whole[2], height / state.whole[3]);
  const first = state.items.get(state.order[0]);
  if (!width || scale >= LEGIBLE || !first) return;
  const box = first.getBBox();
  const matrix = state.svg.getCTM().inverse().multiply(first.getCTM());
  const at = new DOMPoint(box.x + box.width / 2, box.y + box.height / 2).matrixTransform(matrix);
  const [w, h] = [width / LEGIBLE, height / LEGIBLE];
  const [x, y, ww, hh] = state.whole;
  const clamp = (value, low, high) => Math.min(Math.max(value, low), Math.max(low, high));
  state.view = [ww > w ? clamp(at.x - w / 2, x, x + ww - w) : x + (ww - w) / 2, hh > h ? clamp(at.y - h / 2, y, y + hh - h) : y + (hh - h) / 2, w, h];
  state.fitted = false;
  state.begun = true;
  show(state);
  say(state);
}

function fit(state) {
  state.view = [...state.whole];
  state.fitted = true;
  state.begun = false;
  show(state);
}

function point(state, event) {
  return new DOMPoint(event.clientX, event.clientY).matrixTransform(state.svg.getScreenCTM().inverse());
}

function bringIntoView(state, group) {
  const box = group.getBoundingClientRect();
  const frame = state.canvas.getBoundingClientRect();
  if (box.left >= frame.left && box.right <= frame.right && box.top >= frame.top && box.bottom <= frame.bottom) return;
  const scale = state.svg.getScreenCTM().a || 1;
  state.view[0] += (box.left + box.width / 2 - frame.left - frame.width / 2) / scale;
  state.view[1] += (box.top + box.height / 2 - frame.top - frame.height / 2) / scale;
  state.fitted = false;
  show(state);
}

function reachable(state) {
  return state.order.filter((id) => state.items.has(id) && !state.hidden.has(id));
}

function focusOn(state, id, take) {
  for (const [other, group] of state.items) group.setAttribute("tabindex", other === id ? "0" : "-1");
  state.focused = id;
  if (!take || !state.items.has(id)) return;
  bringIntoView(state, state.items.get(id));
  state.items.get(id).focus({ preventScroll: true });
}

function say(state, id) {
  const ids = id ? [id] : [...state.selected];
  const some = ids.slice(0, 2).map((each) => state.labels.get(each) || each);
  const words = some.join(" · ") + (ids.length > some.length ? ` · and ${ids.length - some.length} more` : "");
  const part = state.begun ? "This is where it starts: drag to see the rest, Fit shows all. " : "";
  state.line.textContent = words || `${part}Click a location or transition; Shift-click adds. Drag to move, Ctrl+wheel to zoom.`;
}

function mark(state) {
  for (const [id, group] of state.items) {
    const chosen = state.selected.has(id);
    group.classList.toggle("selected", chosen);
    group.setAttribute("aria-pressed", String(chosen));
  }
  say(state);
}

function choose(state, id, more) {
  const before = [...state.selected].join(" ");
  if (!more) state.selected = new Set(id ? [id] : []);
  else if (state.selected.has(id)) state.selected.delete(id);
  else state.selected.add(id);
  mark(state);
  if ([...state.selected].join(" ") !== before) state.send([...state.selected]);
}

function dress(state, data) {
  state.hidden = new Set(data.hidden);
  state.labels = new Map(data.elements.map((element) => [element.id, element.label]));
  state.order = data.elements.map((element) => element.id);
  state.weighted = new Set(data.elements.filter((element) => element.weight !== undefined).map((element) => element.id));
  for (const element of data.elements) {
    const group = state.items.get(element.id);
    if (!group) continue;
    group.classList.add("item");
    group.setAttribute("role", "button");
    group.setAttribute("aria-label", element.label);
    group.classList.toggle("below", state.hidden.has(element.id));
    group.toggleAttribute("aria-hidden", state.hidden.has(element.id));
    const stroke = group.querySelector(":scope > path:not(.hit)");
    if (stroke && element.weight !== undefined) stroke.style.strokeWidth = `${(0.8 + 3.2 * element.weight).toFixed(2)}px`;
  }
  const left = reachable(state);
  state.count.textContent = counted(state, left);
  focusOn(state, left.includes(state.focused) ? state.focused : left[0], false);
}

function counted(state, left) {
  const words = (one, is) => {
    const all = state.order.filter(is).length;
    const here = left.filter(is).length;
    return `${here === all ? all : `${here} of ${all}`} ${one}${all === 1 ? "" : "s"}`;
  };
  return `${words("location", (id) => !state.weighted.has(id))}, ${words("transition", (id) => state.weighted.has(id))} shown`;
}

function find(state) {
  const wanted = state.search.value.trim().toLowerCase();
  let first = null;
  for (const id of state.order) {
    const group = state.items.get(id);
    if (!group) continue;
    const found = wanted !== "" && state.labels.get(id).toLowerCase().includes(wanted);
    group.classList.toggle("found", found);
    if (found && first === null && !state.hidden.has(id)) first = id;
  }
  state.search.classList.toggle("none", wanted !== "" && first === null);
  if (first !== null) { bringIntoView(state, state.items.get(first)); say(state, first); } else say(state);
  return first;
}

function keyDown(state, event) {
  const group = event.target.closest?.("g.item");
  const ids = reachable(state);
  const at = ids.indexOf(group?.id);
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (group && step) focusOn(state, ids[(at + step + ids.length) % ids.length], true);
  else if (group && event.key === "Home") focusOn(state, ids[0], true);
  else if (group && event.key === "End") focusOn(state, ids[ids.length - 1], true);
  else if (group && (event.key === "Enter" || event.key === " ")) choose(state, group.id, event.shiftKey);
  else if (event.key === "Escape") choose(state, null, false);
  else if (event.key === "+" || event.key === "=") zoom(state, 0.8);
  else if (event.key === "-") zoom(state, 1.25);
  else if (event.key === "0") fit(state);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function listen(state, signal) {
  const { canvas, search, frame } = state;
  const on = (target, name, handler, options = {}) => target.addEventListener(name, handler, { signal, ...options });
  let drag = null;
  on(canvas, "pointerdown", (event) => {
    if (event.button !== 0) return;
    drag = { x: event.clientX, y: event.clientY, view: [...state.view], moved: false };
  });
  on(window, "pointermove", (event) => {
    if (!drag) return;
    const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
    if (!drag.moved && Math.hypot(dx, dy) < 4) return;
    drag.moved = true;
    state.svg.classList.add("panning");
    const scale = state.svg.getScreenCTM().a || 1;
    state.view = [drag.view[0] - dx / scale, drag.view[1] - dy / scale, drag.view[2], drag.view[3]];
    state.fitted = false;
    show(state);
  });
  on(window, "pointerup", () => {
    state.dragged = drag !== null && drag.moved;
    drag = null;
    state.svg.classList.remove("panning");
  });
  on(canvas, "click", (event) => {
    if (state.dragged) { state.dragged = false; return; }
    const group = event.target.closest("g.item");
    if (group && state.hidden.has(group.id)) return;
    if (group) focusOn(state, group.id, false);
    choose(state, group ? group.id : null, Boolean(group) && (event.shiftKey || event.ctrlKey || event.metaKey));
  });
  on(canvas, "wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const at = point(state, event);
    zoom(state, event.deltaY > 0 ? 1.15 : 0.87, [at.x, at.y]);
  }, { passive: false });
  on(canvas, "keydown", (event) => keyDown(state, event));
  on(canvas, "focusin", (event) => { const group = event.target.closest("g.item"); if (group) say(state, group.id); });
  on(canvas, "mouseover", (event) => { const group = event.target.closest("g.item"); say(state, group?.id); });
  on(canvas, "mouseleave", () => say(state));
  on(search, "input", () => find(state));
  on(search, "keydown", (event) => {
    event.stopPropagation();
    if (event.key !== "Enter") return;
    const first = find(state);
    if (first !== null) { focusOn(state, first, true); choose(state, first, event.shiftKey); }
  });
  for (const button of frame.querySelectorAll("[data-view]")) {
    const what = button.dataset.view;
    on(button, "click", () => (what === "fit" ? fit(state) : zoom(state, what === "in" ? 0.8 : 1.25)));
  }
}

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const frame = parentElement.querySelector(".frame");
  let state = states.get(frame);
  if (!state) {
    const part = (name) => frame.querySelector(name);
    state = {
      frame, canvas: part(".canvas"), line: part(".line"), count: part(".count"), search: part("input"),
      first: true, fitted: true, selected: new Set(), hidden: new Set(), drawn: null, focused: null,
    };
    states.set(frame, state);
  }
  // The moment makes two equal selections in a row two events, so that a click counts after the table moved on.
  state.send = (ids) => setStateValue("selected", { ids, at: Date.now() });
  state.stop?.abort();
  state.stop = new AbortController();
  try {
    if (state.drawn !== data.svg) {
      draw(state, data.svg);
      state.drawn = data.svg;
    }
    state.canvas.setAttribute("aria-label", data.label);
    dress(state, data);
    const news = data.selected.filter((id) => state.items.has(id) && !state.selected.has(id));
    state.selected = new Set(data.selected.filter((id) => state.items.has(id)));
    mark(state);
    if (state.first) { begin(state); state.first = false; }
    if (news.length === 1) bringIntoView(state, state.items.get(news[0]));
    show(state);
    listen(state, state.stop.signal);
    frame.dataset.ready = "1";
  } catch (error) {
    state.line.textContent = `The graph cannot be drawn here: ${error.message} Use the table of transitions below.`;
    frame.dataset.ready = "error";
  }
  return () => state.stop.abort();
}
