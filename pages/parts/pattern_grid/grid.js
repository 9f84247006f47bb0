// Builds the table of a pattern from text nodes and sends the clicked cell back to Python.
const MARKS = { fixed: "\u25a0", free: "\u25cc", reused: "\u21a9" };
const stops = new WeakMap();

function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function move(root, from, key) {
  const buttons = [...root.querySelectorAll("button.cell")];
  const wide = root.querySelectorAll("thead th").length - 1;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: wide, ArrowUp: -wide }[key];
  const next = buttons[buttons.indexOf(from) + step];
  if (!next) return;
  for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
  next.focus();
}

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const grid = parentElement.querySelector(".grid");
  stops.get(grid)?.abort();
  const stop = new AbortController();
  stops.set(grid, stop);
  const place = grid.querySelector(".scroll");
  const held = parentElement.activeElement?.dataset?.place;

  const head = make("tr", {}, make("td"));
  for (const name of data.columns) head.append(make("th", { scope: "col" }, name));
  const body = make("tbody");
  data.rows.forEach((row, index) => {
    const line = make("tr", {}, make("th", { scope: "row" }, make("b", {}, `flow ${index + 1}`), row.head));
    row.cells.forEach((cell, at) => {
      const name = data.columns[at];
      const chosen = data.selected !== null && data.selected.flow === index + 1 && data.selected.column === name;
      const kind = MARKS[cell.kind] ? cell.kind : "free";
      const button = make("button", { type: "button", className: `cell ${kind}`, title: cell.spoken }, `${MARKS[kind]} ${cell.text}`);
      button.setAttribute("aria-label", cell.spoken);
      button.setAttribute("aria-pressed", String(chosen));
      button.dataset.place = `${index + 1}.${name}`;
      button.tabIndex = -1;
      button.addEventListener(
        "click",
        () => setStateValue("cell", { flow: index + 1, column: name, at: Date.now() }),
        { signal: stop.signal },
      );
      line.append(make("td", {}, button));
    });
    body.append(line);
  });
  const table = make("table", {}, make("thead", {}, head), body);
  table.setAttribute("aria-label", data.label);
  table.addEventListener(
    "keydown",
    (event) => {
      if (!event.key.startsWith("Arrow") || !event.target.matches("button.cell")) return;
      event.preventDefault();
      move(table, event.target, event.key);
    },
    { signal: stop.signal },
  );
  place.replaceChildren(table);
  const first = table.querySelector('button.cell[aria-pressed="true"]') || table.querySelector("button.cell");
  if (first) first.tabIndex = 0;
  if (held) [...table.querySelectorAll("button.cell")].find((button) => button.dataset.place === held)?.focus();
  grid.dataset.ready = "1";
  return () => stop.abort();
}
