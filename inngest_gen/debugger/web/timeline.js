// Timeline: the runs as a picture over time: lanes of steps with their attempts and waits, defers, and the runs that came of them.

const ROW = 22, HEAD = 28, GAP = 6, AXIS = 24;

// Runs in the order of a tree: each after the one that it came of.
function ordered() {
  const found = [];
  const visit = (run, depth) => {
    if (found.some((one) => one.run === run)) return;
    found.push({ run, place: runs.indexOf(run), depth });
    for (const child of runs) if (child.parent === run.id) visit(child, depth + 1);
  };
  visit(runs[0], 0);
  for (const run of runs) visit(run, 0);
  return found;
}

// "parallel[2]/pack" is "[2] pack", as long as that means one lane.
function shortPath(path, run) {
  const short = (one) => one.split("/").slice(-2).filter((part, place, all) => place === all.length - 1 || (part.includes("[") && !all[place + 1].includes("["))).map((part) => part.slice(Math.max(0, part.indexOf("[")))).join(" ");
  const mine = short(path);
  return !path ? "steps" : run.picture.lanes.filter((lane) => short(lane.path) === mine).length > 1 ? path : mine;
}

// Where everything is, top to bottom.
function laidOut() {
  const lanes = [];
  let y = AXIS;
  for (const { run, place, depth } of ordered()) {
    const top = y;
    lanes.push({ run, place, depth, kind: "run", y, height: HEAD, label: run.function });
    y += HEAD;
    for (const [index, lane] of run.picture.lanes.entries()) {
      const height = lane.rows * ROW;
      lanes.push({ run, place, depth, kind: "lane", y, height, index, label: shortPath(lane.path, run), title: lane.path });
      y += height;
    }
    if (run.picture.defers.length) {
      lanes.push({ run, place, depth, kind: "lazy", y, height: ROW, label: "defers" });
      y += ROW;
    }
    y += GAP;
    for (const lane of lanes) if (lane.run === run) Object.assign(lane, { top, bottom: y - GAP });
  }
  return { lanes, height: y };
}

class Timeline {
  constructor(go) {
    this.go = go;
    const real = runs.map((run) => run.picture), ordered = inOrder();
    this.real = { pictures: real, times: runs.map((run, place) => timesOf(run, real[place], true)) };
    this.ordered = { pictures: ordered, times: runs.map((run, place) => timesOf(run, ordered[place], false)) };
    const bars = real.flatMap((picture) => picture.lanes).flatMap((lane) => lane.bars);
    const took = (bar) => bar.parts[bar.parts.length - 1][2] !== bar.parts[0][1];
    this.kind = isTimed && bars.filter(took).length * 2 < bars.length ? "order" : "even";
    this.zoom = 1;
    this.byHash = runs.map((run) => {
      const found = new Map();
      run.stops.forEach((stop, place) => stop.intent && stop.intent.hash && !found.has(stop.intent.hash) && found.set(stop.intent.hash, place));
      return found;
    });
    this.took = real.map((picture) => new Map(picture.lanes.flatMap((lane) => lane.bars.map(({ hash, parts }) => [hash, parts[parts.length - 1][2] === null ? null : parts[parts.length - 1][2] - parts[0][1]]))));
    this.layout = laidOut();
    this.labels = h("div", { class: "labels", "aria-hidden": "true" });
    this.scroller = h("div", { class: "scroller" });
    const button = (text, label, act) => h("button", { type: "button", title: label, "aria-label": label, onclick: act }, text);
    this.scales = [["even", "Even", "Long spans are drawn shorter"], ["clock", "Clock", "Time as it passed"], ["order", "Order", "One thing after another, however long it took"]].map(([kind, word, title]) =>
      h("button", { type: "button", "data-kind": kind, "aria-pressed": String(kind === this.kind), title, onclick: () => this.setScale(kind) }, word),
    );
    show(
      "picture",
      h("div", { class: "bar-of-tools" }, h("h2", {}, "Timeline"), this.legend(), h("span", { class: "spring" }),
        isTimed ? h("span", { class: "choice", role: "group", "aria-label": "Scale" }, this.scales) : h("span", { class: "hint" }, "no times are recorded: drawn in order"),
        h("span", { class: "choice", role: "group", "aria-label": "Zoom" }, button("−", "Zoom out", () => this.setZoom(this.zoom / 1.6)), button("+", "Zoom in", () => this.setZoom(this.zoom * 1.6)))),
      h("div", { class: "timeline" }, this.labels, this.scroller),
    );
    for (const lane of this.layout.lanes) {
      this.labels.append(h("div", { class: `label ${lane.kind}`, title: lane.title || lane.label }, lane.label));
      const label = this.labels.lastChild;
      label.style.top = `${lane.y}px`;
      label.style.height = `${lane.height}px`;
      label.style.paddingInlineStart = `${8 + lane.depth * 10 + (lane.kind === "run" ? 0 : 8)}px`;
    }
    this.labels.style.height = `${this.layout.height}px`;
    // In a picture with more to show than there is room for, begin large enough to see something.
    const count = everyMoment(this.shown.pictures).length;
    this.zoom = Math.min(6, Math.max(1, (count * 5) / Math.max(300, this.scroller.clientWidth)));
    this.draw();
    new ResizeObserver(() => {
      if (this.drawnFor !== this.scroller.clientWidth) this.draw();
    }).observe(this.scroller);
  }

  // What became of a step of the run at hand.
  statusOf(hash) {
    const [place] = this.at;
    for (const lane of runs[place].picture.lanes) for (const bar of lane.bars) if (bar.hash === hash) return bar.status;
    return null;
  }

  // What is drawn: the moments as they were, or their order.
  get shown() {
    return this.kind === "order" ? this.ordered : this.real;
  }

  legend() {
    const kinds = [["run", "attempt"], ["failed", "failed attempt"], ["pause", "until the next"], ["wait", "wait"], ["defer", "defer"]];
    return h("span", { class: "legend", "aria-hidden": "true" }, kinds.map(([colour, word]) => h("span", {}, h("i", { class: `swatch ${colour}` }), word)));
  }

  setScale(kind) {
    this.kind = kind;
    for (const one of this.scales) one.setAttribute("aria-pressed", String(one.dataset.kind === kind));
    this.draw();
  }

  setZoom(zoom) {
    this.zoom = Math.min(60, Math.max(1, zoom));
    this.draw();
  }

  draw() {
    this.drawnFor = this.scroller.clientWidth;
    const width = Math.max(240, this.scroller.clientWidth) * this.zoom;
    const scale = (this.scale = scaleOf(this.kind, width, this.shown.pictures));
    const { lanes, height } = this.layout;
    const hatch = (id) => svg("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, svg("rect", { width: 6, height: 6, class: `${id} ground` }), svg("rect", { width: 2, height: 6, class: `${id} stripe` }));
    const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": this.summary() }, svg("defs", {}, hatch("hatch-wait"), hatch("hatch-open")));
    for (const at of ticksOf(scale)) {
      const x = scale.x(at);
      picture.append(svg("line", { class: "tick", x1: x, x2: x, y1: AXIS - 4, y2: height }), svg("text", { class: "tick", x: x + 3, y: 14 }, at ? `+${duration(at)}` : "0"));
    }
    this.bars = runs.map(() => new Map());
    const links = svg("g", {});
    picture.append(links);
    for (const lane of lanes) {
      if (lane.kind === "run") this.drawRun(picture, lane);
      else if (lane.kind === "lane") for (const bar of this.shown.pictures[lane.place].lanes[lane.index].bars) this.drawBar(picture, lane, bar);
      else this.drawDefers(picture, links, lane);
    }
    this.later = svg("rect", { class: "later" });
    this.head = svg("g", { class: "head" }, svg("line", { y1: 0, y2: height }), svg("path", { d: "M-6,0h12v7l-6,7l-6,-7z" }));
    picture.append(this.later, this.head);
    this.listen(picture);
    this.scroller.replaceChildren(picture);
    if (this.at) this.move(...this.at);
  }

  summary() {
    const run = runs[0], { picture } = run;
    const steps = picture.lanes.reduce((sum, lane) => sum + lane.bars.length, 0);
    const took = isTimed && picture.ended !== null && picture.created !== null ? ` in ${duration(picture.ended - picture.created)}` : "";
    const more = runs.length > 1 ? `, and ${plural(runs.length - 1, "run")} that came of it` : "";
    return `${run.function} ${run.status}: ${plural(steps, "step")} in ${plural(picture.lanes.length, "lane")}${took}, ${plural(picture.defers.length, "defer")}${more}. The list of all stops says the same in words.`;
  }

  rect(x1, x2, y, height, given) {
    return svg("rect", { x: x1, y, width: Math.max(2, x2 - x1), height, rx: 3, ...given });
  }

  text(x1, x2, y, text, given) {
    const room = Math.floor((x2 - x1 - 10) / 6.4);
    if (room < 3) return null;
    return svg("text", { x: x1 + 5, y, ...given }, text.length <= room ? text : `${text.slice(0, room - 1)}…`);
  }

  drawRun(picture, { run, place, y }) {
    const { created, begun, ended, marks } = this.shown.pictures[place];
    const from = created ?? begun ?? 0, x1 = this.scale.x(from), x2 = ended === null ? this.scale.end : this.scale.x(ended);
    if (begun !== null && begun > from) picture.append(this.rect(x1, this.scale.x(begun), y + 10, 8, { class: "queued" }));
    picture.append(this.rect(begun === null ? x1 : this.scale.x(begun), x2, y + 6, HEAD - 12, { class: `of-run ${run.status}` }, svg("title", {}, `${run.function} ${run.status}`)));
    const took = ended === null || !isTimed ? run.status : `${run.status} in ${duration(run.picture.ended - (run.picture.created ?? run.picture.begun ?? 0))}`;
    add(picture, [this.text(begun === null ? x1 : this.scale.x(begun), x2, y + 18, took, { class: "of-run" })]);
    for (const mark of marks) picture.append(svg("text", { class: `mark ${mark.kind}`, x: this.scale.x(mark.at), y: y + 8 }, mark.kind === "cancel" || mark.kind === "blocked" ? "■" : "✗", svg("title", {}, mark.text)));
  }

  drawBar(picture, lane, bar) {
    const y = lane.y + bar.row * ROW + 2, height = ROW - 4;
    const group = svg("g", { class: `step ${bar.status}`, "data-hash": bar.hash });
    for (const part of bar.parts) {
      const [what, from, to] = part;
      const left = this.scale.x(from), right = to === null ? this.scale.end : this.scale.x(to);
      const thin = what === "pause";
      group.append(this.rect(left, right, thin ? y + height / 2 - 1 : y, thin ? 2 : height, { class: `part ${what}${to === null ? " open" : ""}` }));
      if (what === "failed" && part !== bar.parts[bar.parts.length - 1]) add(group, [this.text(left, right, y + 13, "✗", { class: "cross" })]);
    }
    const [what, from, to] = bar.parts[bar.parts.length - 1];
    const left = this.scale.x(from), right = to === null ? this.scale.end : this.scale.x(to);
    add(group, [this.text(left, right, y + 13, `${what === "failed" ? "✗ " : ""}${bar.id}`, {})]);
    const attempts = (bar.failed || []).map((one) => `\nattempt ${one.number} failed: ${one.error}`).join("");
    const known = this.took[lane.place].get(bar.hash);
    const took = !isTimed ? "" : known === null ? " · not ended" : ` · ${duration(known)}`;
    group.append(svg("title", {}, `${bar.kind} ${bar.id}${bar.index ? ` (${bar.index + 1})` : ""} · ${bar.status}${took}${attempts}`));
    picture.append(group);
    this.bars[lane.place].set(bar.hash, group);
  }

  drawDefers(picture, links, lane) {
    const shown = this.shown.pictures, { ended, defers } = shown[lane.place];
    const end = ended === null ? this.scale.end : this.scale.x(ended);
    let from = -Infinity;
    const placed = defers.map((one) => [one.at === null ? end : this.scale.x(one.at), one]).sort(([a], [b]) => a - b);
    for (const [there, one] of placed) {
      const x = Math.max(there, from + 11), y = lane.y + ROW / 2; // beside one that was made at the same moment
      from = x;
      const child = this.layout.lanes.find((other) => other.kind === "run" && other.run.id === one.run_id);
      if (child) {
        const { created, begun } = shown[child.place];
        const to = this.scale.x(created ?? begun ?? 0), middle = child.y + HEAD / 2;
        links.append(svg("path", { class: "link", d: `M${x},${y} C${x},${middle} ${Math.min(x, to) - 8},${middle} ${to},${middle}` }));
      }
      const group = svg("g", { class: `defer ${one.status}`, "data-hash": one.hash }, svg("path", { d: `M${x},${y - 6}l6,6l-6,6l-6,-6z` }), svg("title", {}, `defer ${one.id}${one.function ? ` of ${one.function}` : ""} · ${one.status}${one.by ? ` · by step ${one.by}` : ""}`));
      const label = one.id.length > 24 ? `${one.id.slice(0, 23)}…` : one.id;
      const next = placed[placed.findIndex(([, other]) => other === one) + 1];
      if (!next || next[0] > x + 12 + 6.5 * label.length) add(group, [svg("text", { x: x + 9, y: y + 4 }, label)]);
      picture.append(group);
      this.bars[lane.place].set(`defer ${one.hash}`, group);
    }
  }

  // Pointing at the picture goes to the stop there; so does dragging.
  listen(picture) {
    const goThere = (event) => {
      const box = picture.getBoundingClientRect();
      const x = event.clientX - box.left, y = event.clientY - box.top;
      const lane = this.layout.lanes.find((one) => y >= one.y && y < one.y + one.height) || this.layout.lanes.find((one) => y >= one.top && y < one.bottom);
      const place = lane && y > AXIS ? lane.place : this.at[0];
      const step = event.type === "pointerdown" && event.target.closest("[data-hash]");
      const known = step && this.byHash[place].get(step.dataset.hash);
      if (known !== undefined && known !== null && known !== false) return this.go(place, known);
      const at = this.scale.at(x), times = this.shown.times[place];
      let stop = 0;
      while (stop + 1 < times.length && times[stop + 1] <= at) stop++;
      this.go(place, stop);
    };
    picture.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      if (event.pointerType === "mouse") picture.setPointerCapture(event.pointerId);
      goThere(event);
    });
    picture.addEventListener("pointermove", (event) => event.buttons & 1 && picture.hasPointerCapture(event.pointerId) && goThere(event));
  }

  // Marks where the reader stands.
  move(place, number) {
    this.at = [place, number];
    const run = runs[place], stop = run.stops[number];
    const x = this.scale.x(stop ? this.shown.times[place][number] : this.shown.pictures[place].created ?? 0);
    this.head.setAttribute("transform", `translate(${x},0)`);
    const lane = this.layout.lanes.find((one) => one.place === place);
    for (const [name, value] of Object.entries({ x, y: lane.top, width: Math.max(0, this.scale.width - x), height: lane.bottom - lane.top })) this.later.setAttribute(name, value);
    if (this.marked) this.marked.classList.remove("current");
    const hash = stop && stop.intent && stop.intent.hash;
    this.marked = hash && (this.bars[place].get(hash) || this.bars[place].get(`defer ${hash}`));
    if (this.marked) this.marked.classList.add("current");
    const box = this.scroller;
    if (x < box.scrollLeft + 30 || x > box.scrollLeft + box.clientWidth - 60) box.scrollLeft = x - box.clientWidth / 3;
    const holder = box.parentElement;
    const around = this.marked && this.marked.getBBox ? this.marked.getBBox() : { y: lane.y, height: HEAD };
    if (around.y < holder.scrollTop + AXIS || around.y + around.height > holder.scrollTop + holder.clientHeight) holder.scrollTop = around.y - holder.clientHeight / 2;
  }
}
