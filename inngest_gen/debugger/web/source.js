// Source: the lines of a file, Python coloured, with the current ones marked and those where the run has stopped.

const KEYWORDS = "False|None|True|and|as|assert|async|await|break|case|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|match|nonlocal|not|or|pass|raise|return|try|while|with|yield";
const TOKEN = new RegExp(
  [
    "(#[^\\n]*)",
    "([rRbBfFuU]{0,2}(?:\"\"\"[^]*?(?:\"\"\"|$)|'''[^]*?(?:'''|$)|\"(?:\\\\.|[^\"\\\\\\n])*\"?|'(?:\\\\.|[^'\\\\\\n])*'?))",
    `(\\b(?:${KEYWORDS})\\b)`,
    "(\\b\\d[\\w.]*)",
    "(@[\\w.]+)",
    "(\\w+(?=\\())",
    "(\\w+|\\s+|[^])",
  ].join("|"),
  "g",
);
const COLOURS = [null, "comment", "string", "keyword", "number", "decorator", "call", null];

// Text by lines, each a list of [colour, text].
function coloured(text) {
  const lines = [[]];
  for (const match of text.matchAll(TOKEN)) {
    const colour = COLOURS[match.findIndex((part, place) => place > 0 && part !== undefined)];
    match[0].split("\n").forEach((part, place) => {
      if (place) lines.push([]);
      const line = lines[lines.length - 1];
      const last = line[line.length - 1];
      if (last && last[0] === colour) last[1] += part;
      else if (part) line.push([colour, part]);
    });
  }
  return lines;
}

const files = new Map(recorded.files.map((one) => [one.file, one]));
const rendered = new Map(); // by run and file: { body, lines }

function listing(run, file, goto) {
  const key = `${run.id} ${file}`;
  let found = rendered.get(key);
  if (found) return found;
  const stops = new Map(); // by line: the places of the stops there
  run.stops.forEach((stop, place) => {
    if (!stop.at || stop.at.file !== file) return;
    if (!stops.has(stop.at.line)) stops.set(stop.at.line, []);
    stops.get(stop.at.line).push(place);
  });
  const lines = new Map();
  const body = h("div", { class: "listing", tabindex: "0", role: "region", "aria-label": `Source of ${nameOf(file)}` });
  const known = files.get(file);
  for (const piece of (known && known.pieces) || []) {
    if (body.hasChildNodes() || piece.first > 1) body.append(h("div", { class: "gap" }, "⋯"));
    coloured(piece.lines.join("\n")).forEach((parts, place) => {
      const number = piece.first + place;
      const here = stops.get(number);
      const gutter = here
        ? h("button", { type: "button", class: "gutter", title: `${plural(here.length, "stop")} here`, "aria-label": `Line ${number}: go to the next of ${plural(here.length, "stop")}`, onclick: () => goto(here) }, number)
        : h("span", { class: "gutter", "aria-hidden": "true" }, number);
      const line = h("div", { class: "row" }, gutter, h("code", {}, parts.map(([colour, text]) => (colour ? h("span", { class: colour }, text) : text)), "\n"));
      lines.set(number, line);
      body.append(line);
    });
  }
  found = { body, lines };
  rendered.set(key, found);
  return found;
}

function showSource(run, at, goto) {
  if (!at) {
    show("source", h("h2", {}, "Source"), h("p", { class: "empty" }, "There is no line to show: no code of the handler is under way here."));
    return;
  }
  const { body, lines } = listing(run, at.file, goto);
  const section = document.getElementById("source");
  if (!section.contains(body)) {
    show("source", h("h2", {}, "Source", h("span", { class: "path", title: at.file }, nameOf(at.file))), lines.size ? body : h("p", { class: "empty" }, `The source of ${at.file} could not be read.`));
  }
  for (const line of body.querySelectorAll(".current")) {
    line.classList.remove("current");
    line.removeAttribute("aria-current");
  }
  for (let number = at.line; number <= at.end_line; number++) {
    const line = lines.get(number);
    if (!line) continue;
    line.classList.add("current");
    line.setAttribute("aria-current", "step");
  }
  const first = lines.get(at.line);
  if (!first) return;
  keepInView(first, lines.get(at.end_line) || first, body);
}
