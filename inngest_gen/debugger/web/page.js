// Page: where the reader stands, the keys, and everything that follows.

const here = { run: 0, stop: 0, since: null }; // `since`: the stop that differences are told from; null: the one before
const seenFrames = new Map(); // by run: for each stop the frames under way, as they were last seen

// The frames of branches that are not on the stack, as they were when they last were.
function framesSeen(run, number) {
  const ids = new Set();
  const visit = (node) => {
    if (node.frame !== undefined) ids.add(node.frame);
    (node.children || []).forEach(visit);
  };
  if (run.stops[number].tree) visit(run.stops[number].tree);
  const found = new Map();
  for (let at = number; at >= 0 && found.size < ids.size && number - at < 2000; at--) {
    for (const frame of run.stops[at].frames || []) if (ids.has(frame.id) && !found.has(frame.id)) found.set(frame.id, { frame, at });
  }
  return found;
}

const timeline = new Timeline((run, stop) => go(run, stop));

function go(run, number, said = true) {
  const isOther = run !== here.run;
  here.run = run;
  const { stops } = runs[run];
  here.stop = Math.max(0, Math.min(number, stops.length - 1));
  if (isOther) here.since = null;
  if (here.since !== null && here.since >= stops.length) here.since = null;
  update(isOther);
  if (said && stops.length) document.getElementById("said").textContent = `Stop ${stops[here.stop].number}: ${chipOf(stops[here.stop])[1]} ${labelOf(stops[here.stop])}`;
}

function update(isOther) {
  const run = runs[here.run], stop = run.stops[here.stop];
  if (isOther) {
    showRun(run);
    showScrubber(run);
    showStops(run);
    showAbout(run);
  }
  timeline.move(here.run, here.stop);
  if (!stop) {
    for (const id of ["intent", "source", "locals", "difference", "tree", "lazy", "output"]) show(id);
    show("intent", h("p", { class: "empty" }, run.cut[0] || "This run cannot be stepped through."));
    return;
  }
  moveScrubber(run, stop);
  markStop();
  showIntent(run, stop);
  showSource(run, stop.at, (places) => go(here.run, places.find((one) => one > here.stop) ?? places[0]));
  showLocals(run, here.stop, framesSeen(run, here.stop));
  showDifference(run);
  showTree(stop);
  showLazy(stop, (place) => go(place, 0));
  showOutput(run, here.stop);
  remember();
}

// The head of the page.
function showRun(run) {
  const { picture } = run;
  const took = picture.timed && picture.ended !== null && picture.created !== null ? duration(picture.ended - picture.created) : null;
  const choice = runs.length > 1 && h("label", { class: "which" }, "Run ", h("select", { onchange: (event) => go(Number(event.target.value), 0) }, runs.map((one, place) => h("option", { value: place, selected: place === here.run }, `${one.function} · ${one.id.slice(-6)} · ${one.status}`))));
  show("run", h("h1", {}, run.function), h("span", { class: `status ${run.status}` }, run.status), h("code", { class: "id" }, run.id),
    run.created && h("time", { datetime: run.created }, run.created.replace("T", " ").replace("+00:00", " UTC")), took && h("span", {}, `took ${took}`),
    run.code === "changed" && h("span", { class: "status bad" }, "code has changed"), run.unstable.length ? h("span", { class: "status bad" }, "replays differ") : null, h("span", { class: "spring" }), choice);
}

// The scrubber.
let range, counter, told;
function showScrubber(run) {
  const last = run.stops.length - 1;
  if (last < 0) return show("scrub");
  const button = (shape, label, key, act) => h("button", { type: "button", title: `${label} (${key})`, "aria-label": label, "aria-keyshortcuts": key, onclick: act }, svg("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, svg("path", { d: shape })));
  range = h("input", { type: "range", min: 0, max: last, step: 1, "aria-label": "Stop", oninput: () => go(here.run, Number(range.value), false) });
  counter = h("output", { class: "counter" });
  told = h("p", { class: "told" });
  const marks = run.stops.map((stop, place) => isError(stop) && place).filter((place) => place !== false).slice(0, 500);
  const strip = h("div", { class: "strip", "aria-hidden": "true" }, marks.map((place) => h("i", {})));
  marks.forEach((place, n) => strip.children[n].style.setProperty("--at", place / Math.max(1, last)));
  return show("scrub",
    h("div", { class: "buttons" }, button("M2 2h2v12h-2zM14 2v12l-9-6z", "First stop", "Home", () => go(here.run, 0)), button("M13 2v12l-10-6z", "Back", "ArrowLeft", () => go(here.run, here.stop - 1)), button("M3 2v12l10-6z", "Forward", "ArrowRight", () => go(here.run, here.stop + 1)), button("M12 2h2v12h-2zM2 2v12l9-6z", "Last stop", "End", () => go(here.run, Infinity))),
    h("div", { class: "slider" }, range, strip), counter, told, h("button", { type: "button", class: "quiet", "aria-keyshortcuts": "?", onclick: showHelp }, "Keys"));
}

function moveScrubber(run, stop) {
  range.value = here.stop;
  range.setAttribute("aria-valuetext", `Stop ${stop.number}: ${chipOf(stop)[1]} ${labelOf(stop)}`);
  range.style.setProperty("--done", `${(100 * here.stop) / Math.max(1, run.stops.length - 1)}%`);
  counter.replaceChildren();
  add(counter, ["stop ", h("b", {}, stop.number), ` of ${run.stops[run.stops.length - 1].number}`]);
  told.replaceChildren();
  add(told, [chip(chipOf(stop)), h("span", {}, labelOf(stop)), outcomeMark(stop)]);
}

function outcomeMark(stop) {
  const [sign, word] = stop.end ? (stop.end.how === "raised" ? ["✗", "an error"] : ["✓", "returned"])
    : stop.divergence ? ["✗", "diverged"]
    : stop.intent && stop.intent.memo ? (stop.intent.memo.error ? ["✗", "an error"] : ["✓", "has a result"])
    : stop.intent && stop.intent.position !== undefined ? ["…", "no result yet"] : ["", ""];
  return h("span", { class: `mark ${sign === "✗" ? "bad" : sign === "✓" ? "good" : ""}`, title: word }, sign, h("span", { class: "unseen" }, word));
}

// All stops.
let items = [];
function showStops(run) {
  const times = timeline.real.times[here.run], start = run.picture.created ?? 0;
  items = run.stops.map((stop, place) => {
    const item = h("button", { type: "button", tabindex: "-1", title: stop.intent ? stop.intent.text : null, onclick: () => go(here.run, place) },
      h("span", { class: "number" }, stop.number), chip(chipOf(stop)), h("span", { class: "text" }, labelOf(stop), h("i", {}, detailOf(stop))), outcomeMark(stop), isTimed && h("span", { class: "time" }, place ? `+${duration(Math.max(0, times[place] - start))}` : ""));
    item.style.setProperty("--depth", Math.min(8, Math.max(0, (stop.frames || []).length - 1)));
    return item;
  });
  const wide = matchMedia("(min-width: 1180px)");
  const list = h("ol", { class: items.length > 24 ? "stops many" : "stops" }, items.map((one) => h("li", {}, one)));
  const details = h("details", { open: wide.matches }, h("summary", {}, h("h2", {}, "Stops", h("span", { class: "count" }, run.stops.length.toLocaleString("en")))), list);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    go(here.run, here.stop + step);
    items[here.stop].focus();
  });
  show("stops", run.stops.length ? details : null);
}

let current = null;
function markStop() {
  if (current) {
    current.removeAttribute("aria-current");
    current.tabIndex = -1;
  }
  current = items[here.stop];
  current.setAttribute("aria-current", "step");
  current.tabIndex = 0;
  const list = current.closest("ol");
  keepInView(current, current, list);
}

// The place of a stop in the list, by its number: numbers may be passed over.
function placeOfNumber(run, number) {
  const place = run.stops.findIndex((stop) => stop.number >= number);
  return place < 0 ? run.stops.length - 1 : place;
}

// The difference between any two stops.
function showDifference(run) {
  const before = here.since ?? here.stop - 1;
  const first = run.stops[before], second = run.stops[here.stop];
  const field = h("input", { type: "number", min: 0, max: run.stops[run.stops.length - 1].number, value: first ? first.number : 0, "aria-label": "Stop to compare with", onchange: (event) => setSince(placeOfNumber(run, Number(event.target.value) || 0)) });
  const tools = h("div", { class: "tools" }, h("label", {}, "between stop ", field), ` and stop ${second.number}`, h("span", { class: "spring" }),
    h("button", { type: "button", "aria-keyshortcuts": "m", title: "Compare with this stop from now on (m)", onclick: () => setSince(here.stop) }, "Pin this stop"),
    here.since !== null && h("button", { type: "button", title: "Compare with the stop before (u)", onclick: () => setSince(null) }, "Unpin"));
  const parts = [];
  if (first && first !== second) {
    for (const { frame, rows, came, went } of localsBetween(first, second)) {
      parts.push(h("h3", {}, shortName(frame.function), h("span", { class: "hint" }, came ? "is on the stack since" : went ? "is not on the stack any more" : placeOf(frame.at))));
      if (rows.length && !went) parts.push(differenceTable(rows.slice(0, 60), `at ${first.number}`, `at ${second.number}`));
      if (rows.length > 60) parts.push(h("p", { class: "missing" }, `… ${rows.length - 60} more`));
    }
    const [low, high] = before < here.stop ? [before, here.stop] : [here.stop, before];
    const between = run.stops.slice(low + 1, high + 1);
    const settled = between.flatMap((stop) => stop.settled || []);
    if (settled.length) parts.push(h("p", {}, h("b", {}, `${plural(settled.length, "step")} settled between: `), settled.slice(0, 20).map((one, place) => [place ? ", " : "", h("code", {}, one.id), one.how === "result" ? "" : ` (${one.how})`]), settled.length > 20 ? ", …" : ""));
    const lane = (stop) => new Map((stop.lazy || []).map((one) => [`${one.kind} ${one.id}`, one]));
    const then = lane(first), now = lane(second);
    const came = [...now.keys()].filter((key) => !then.has(key)), went = [...then.keys()].filter((key) => !now.has(key));
    if (came.length || went.length) parts.push(h("p", {}, h("b", {}, "Lazy lane: "), came.map((key) => `+ ${key} `), went.map((key) => `− ${key} `)));
  }
  if (!parts.length) parts.push(h("p", { class: "empty" }, before < 0 ? "There is no stop before this one." : first === second ? "This is the stop itself." : "Nothing is different."));
  show("difference", h("h2", {}, "Difference"), tools, parts);
  const mark = document.querySelector(".stops .since");
  if (mark) mark.classList.remove("since");
  if (here.since !== null) items[here.since].classList.add("since");
}

function setSince(stop) {
  here.since = stop;
  showDifference(runs[here.run]);
  remember();
}

// Keys.
const KEYS = [
  [["→", "l", "n"], "forward"], [["←", "h", "p"], "back"], [["Page Down"], "10 forward"], [["Page Up"], "10 back"], [["Home"], "the first stop"], [["End"], "the last stop"],
  [["e"], "the next error"], [["E"], "the error before"], [["m"], "pin this stop: later ones are compared with it"], [["u"], "unpin: compare with the stop before again"], [["?"], "this list"],
];

function showHelp() {
  const dialog = document.getElementById("help");
  dialog.replaceChildren();
  add(dialog, [h("h2", { id: "help-title" }, "Keys"), h("dl", { class: "keys" }, KEYS.map(([keys, what]) => [h("dt", {}, keys.map((key) => h("kbd", {}, key))), h("dd", {}, what)])),
    h("p", { class: "hint" }, "The picture can be clicked and dragged. A line number with a dot goes to the next stop at that line."), h("button", { type: "button", autofocus: true, onclick: () => dialog.close() }, "Close")]);
  dialog.showModal();
}

const isError = (stop) => Boolean((stop.intent && stop.intent.memo && stop.intent.memo.error) || (stop.end && stop.end.how === "raised") || stop.divergence);
function goToError(step) {
  const { stops } = runs[here.run];
  for (let place = here.stop + step; place >= 0 && place < stops.length; place += step) if (isError(stops[place])) return go(here.run, place);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const { target } = event;
  const takesText = target.matches("select, textarea, input:not([type=range])");
  if (takesText || !runs[here.run].stops.length) return;
  // What scrolls by itself keeps its keys.
  const scrolls = target.matches(".listing, pre, .printed") && ["PageDown", "PageUp", "Home", "End"].includes(event.key);
  const moves = {
    ArrowRight: 1, l: 1, n: 1, ArrowLeft: -1, h: -1, p: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity,
  };
  if (event.key in moves && !scrolls) go(here.run, here.stop + moves[event.key]);
  else if (event.key === "e") goToError(1);
  else if (event.key === "E") goToError(-1);
  else if (event.key === "m") setSince(here.stop);
  else if (event.key === "u") setSince(null);
  else if (event.key === "?") showHelp();
  else return;
  event.preventDefault();
});

// The address says where one stands, so that it can be given to others with the file: page.html#7, page.html#7-3 (since stop 3), #RUN:7.
function remember() {
  const run = here.run ? `${runs[here.run].id}:` : "";
  try {
    const { stops } = runs[here.run];
    history.replaceState(null, "", `#${run}${stops[here.stop].number}${here.since === null ? "" : `-${stops[here.since].number}`}`);
  } catch {
    // a browser that keeps the addresses of files as they are
  }
}

function recall(event) {
  const found = /^#(?:([\w-]+):)?(\d+)(?:-(\d+))?$/.exec(location.hash);
  if (event && !found) return; // a link to a part of the page
  const run = found && found[1] ? runs.findIndex((one) => one.id === found[1]) : 0;
  here.run = Math.max(0, run);
  const place = (number) => Math.max(0, placeOfNumber(runs[here.run], Number(number)));
  here.stop = found ? place(found[2]) : 0;
  here.since = found && found[3] !== undefined ? place(found[3]) : null;
  update(true);
}

window.addEventListener("hashchange", recall);
recall();
