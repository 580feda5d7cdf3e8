// Panes: the parts of the page that say where the run stands at a stop.

function errorOf(error, open) {
  return h("div", { class: "error" }, h("p", {}, h("b", {}, error.name), error.message ? `: ${error.message}` : ""),
    error.stack && h("details", { open }, h("summary", {}, "Traceback"), h("pre", { tabindex: "0" }, error.stack)),
    error.cause && h("div", { class: "cause" }, h("p", { class: "hint" }, "caused by"), errorOf(error.cause, false)));
}

function jsonOf(json) {
  return h("pre", { tabindex: "0" }, json.text, json.size && h("em", {}, `\n… cut: ${json.size.toLocaleString("en")} characters in all`));
}

const fact = (name, ...value) => [h("dt", {}, name), h("dd", {}, value)];

function outcomeOf(stop) {
  const { intent } = stop;
  const memo = intent.memo;
  if (memo) {
    const how = memo.how === "recorded" ? "" : `, ${memo.how}`;
    const attempts = memo.failed ? `, after ${plural(memo.failed, "failed attempt")}` : "";
    const took = memo.started && memo.ended ? duration(new Date(memo.ended) - new Date(memo.started)) : null;
    const about = h("p", { class: "hint" }, `memo: number ${memo.rank} to be completed${took ? `, took ${took}` : ""}${attempts}${how}`);
    if (memo.error) return h("div", { class: "outcome bad" }, h("h3", {}, "Error"), errorOf(memo.error, false), about);
    const longer = memo.json && (memo.json.text.includes("\n") || memo.json.text.length > 100);
    return h("div", { class: "outcome good" }, h("h3", {}, "Result"), h("code", { class: "big" }, memo.text ?? "None"), about,
      longer && foldable("result", false, {}, { children: ["As JSON"] }, jsonOf(memo.json)));
  }
  if (intent.position !== undefined) {
    const isLost = timeline.statusOf(intent.hash) === "abandoned";
    const why = isLost ? "The run went on, or ended, without it." : intent.missing === "frontier" ? "The record has none for this step: this is the frontier, where the run goes on when one comes." : "The record has none for this step.";
    return h("div", { class: "outcome none" }, h("h3", {}, isLost ? "No result" : "No result yet"), h("p", {}, why));
  }
  if (stop.resumes !== undefined) return h("div", { class: "outcome good" }, h("h3", {}, "Goes on with"), h("code", { class: "big" }, stop.resumes));
  return null;
}

function showIntent(run, stop) {
  const { intent, at } = stop;
  const parts = [];
  if (intent) {
    const repeat = intent.index ? `time ${intent.index + 1} of this id` : null;
    parts.push(
      h("h2", {}, chip(chipOf(stop)), h("code", {}, intent.text)),
      outcomeOf(stop),
      foldable("more of the intent", false, { class: "more" },
        { children: [at ? `${placeOf(at)} in ${shortName(at.function)}` : intent.kind, intent.path ? ` · ${intent.path}` : "", repeat ? ` · ${repeat}` : ""] },
        h("dl", { class: "facts" },
          intent.id && fact("id", h("code", {}, intent.id)), intent.name && intent.name !== intent.id && fact("shown as", intent.name),
          intent.made_at && fact("made at", placeText(intent.made_at)), intent.position !== undefined && fact("position", `${intent.position}, counted from 0`),
          intent.hash && fact("hash", h("code", { class: "hash" }, intent.hash)), (intent.options || []).map((one) => fact(one.name, h("code", {}, one.text))))),
    );
  } else if (!stop.end && !stop.divergence) {
    parts.push(h("h2", {}, chip(chipOf(stop)), labelOf(stop)));
  }
  if (stop.end) parts.push(endOf(run, stop.end));
  if (stop.divergence) parts.push(divergenceOf(stop.divergence));
  else if (stop.state === "frontier" && !intent) parts.push(h("p", {}, "Nothing more is recorded."));
  if ((stop.settled || []).length) {
    const many = stop.settled.length > 8;
    parts.push(h("p", { class: "hint" }, "settled on the way here: ", stop.settled.slice(0, 8).map((one, place) => [place ? ", " : "", h("code", {}, one.id), one.how === "result" ? "" : ` (${one.how})`]), many ? `, and ${stop.settled.length - 8} more` : ""));
  }
  for (const note of stop.notes || []) parts.push(h("p", { class: "note" }, note));
  for (const one of run.unstable) {
    if (one.number !== stop.number) continue;
    const now = one.now === one.first ? "" : ", then ";
    parts.push(h("p", { class: "note bad" }, `Not the same in every replay: ${one.name === null ? "the intent" : one.name} was `, h("code", {}, one.first), now, now && h("code", {}, one.now), ". Clocks, randomness and files belong into a step."));
  }
  show("intent", parts);
}

function endOf(run, end) {
  const odd = end.as_recorded === false ? h("p", { class: "note bad" }, "The recorded run ended otherwise.") : null;
  if (end.how === "returned") return h("div", { class: "outcome good" }, h("h2", {}, chip(["done", "end"]), "The handler returned"), h("code", { class: "big" }, end.value), odd, run.output && run.output.text.length > 100 && h("details", {}, h("summary", {}, "The recorded output as JSON"), jsonOf(run.output)));
  return h("div", { class: "outcome bad" }, h("h2", {}, chip(["bad", "raised"]), "An error left the handler"), errorOf(end.error, true), end.final ? h("p", { class: "hint" }, "No further attempt would help.") : null, odd);
}

function divergenceOf(one) {
  const side = (title, what, at) => h("div", {}, h("h3", {}, title), h("code", { class: "big" }, what || "nothing"), h("p", { class: "hint" }, at ? placeText(at) : `at position ${one.position}, its line is not known`));
  return h("div", { class: "outcome bad" }, h("h2", {}, chip(["bad", "diverged"]), `The replay leaves the record at position ${one.position}`),
    h("div", { class: "sides" }, side("Recorded", one.recorded, one.recorded_at), side("Asked for now", one.yielded, one.yielded_at)), h("p", {}, h("b", {}, "Likely cause: "), one.cause));
}

// Locals, frame by frame. What other branches hold is as it was when they were last on the stack.
function showLocals(run, number, seen) {
  const stop = run.stops[number], previous = run.stops[number - 1];
  const then = new Map(((previous && previous.frames) || []).map((frame) => [frame.id, frame]));
  const frames = stop.frames || [];
  const changed = new Map((stop.changed || []).map((one) => [`${one.frame} ${one.name}`, one]));
  const gone = (stop.changed || []).filter((one) => one.after === null);
  const parts = [h("h2", {}, "Locals", changed.size ? h("span", { class: "count" }, `${plural(changed.size, "change")} since the stop before`) : null)];
  frames.forEach((frame, depth) => parts.push(frameOf(frame, depth === 0, changed, gone, then.get(frame.id))));
  if (!frames.length) parts.push(h("p", { class: "empty" }, stop.state === "ended" ? "The handler has ended: its locals are gone." : "No code of the handler is under way here."));
  const others = [...seen.values()].filter((one) => !frames.some((frame) => frame.id === one.frame.id));
  for (const { frame, at } of others) parts.push(frameOf(frame, false, new Map(), [], null, `as at stop ${run.stops[at].number}`));
  show("locals", parts);
}

function frameOf(frame, isOpen, changed, gone, before, when) {
  const key = `frame ${frame.id}`;
  const locals = [...frame.locals.filter((one) => !isContext(one)), ...frame.locals.filter(isContext).map((one) => ({ ...one, text: "…" }))];
  const rows = locals.map((one) => valueRow(one, `${key}/${one.name}`, changed.get(`${frame.id} ${one.name}`), before && before.locals.find((other) => other.name === one.name)));
  const lost = gone.filter((one) => one.frame === frame.id && one.before !== null);
  const open = isOpen || rows.some((row) => row.classList.contains("changed"));
  return foldable(key, open, { class: "frame" },
    { children: [h("b", {}, shortName(frame.function)), h("span", { class: "hint" }, placeOf(frame.at), frame.path ? ` · ${frame.path}` : "", when ? ` · ${when}` : "")] },
    h("ul", { class: "values" }, rows, lost.map((one) => h("li", { class: "value changed gone" }, h("div", { class: "line" }, h("span", { class: "name" }, one.name), h("em", {}, "is gone")), h("div", { class: "was" }, "was ", h("code", {}, one.before)))), rows.length || lost.length ? null : h("li", { class: "missing" }, "no locals")));
}

// Stack and branches.
const STATES = { running: "▶", waiting: "◷", unstarted: "○", settled: "✓", ending: "◼" };

function nodeOf(node, here) {
  const isHere = here !== undefined && node.hash === here;
  const memo = node.kind === "step" ? (node.memoized ? "has a result" : "no result yet") : null;
  const words = [node.state, memo, node.kind !== "step" && node.at ? `at ${placeText(node.at)}` : null].filter(Boolean).join(", ");
  return h("li", { class: `node ${node.kind} ${node.state}${isHere ? " here" : ""}`, "aria-current": isHere ? "true" : null },
    h("span", { class: "state", "aria-hidden": "true" }, STATES[node.state] || ""), node.key === undefined ? null : h("b", {}, `[${node.key}] `), h("code", {}, shortName(node.label)), h("span", { class: "hint" }, words),
    node.children || node.more ? h("ul", {}, (node.children || []).map((one) => nodeOf(one, here)), node.more && h("li", { class: "missing" }, `… ${node.more.toLocaleString("en")} more`)) : null);
}

function showTree(stop) {
  if (!stop.tree) return show("tree");
  return show("tree", h("h2", {}, "Stack and branches"), h("ul", { class: "tree" }, nodeOf(stop.tree, stop.intent && stop.intent.hash)));
}

const FATES = { after_run: "sent; starts when the run ends", scheduled: "sent; has become a run", aborted: "sent, and aborted", rejected: "refused", dropped: "lost: the run was over" };

function showLazy(stop, goTo) {
  const lane = stop.lazy || [];
  if (!lane.length) return show("lazy");
  return show("lazy", h("h2", {}, "Lazy lane", h("span", { class: "count" }, plural(lane.length, "operation"))),
    h("ul", { class: "lane" }, lane.map((one) => {
      const known = one.run_id ? runs.findIndex((run) => run.id === one.run_id) : -1;
      return h("li", { class: one.state }, h("p", {}, chip(["defer", one.kind]), h("b", {}, one.id), one.function ? ` ${one.function}` : ""),
        one.data && h("p", {}, h("code", {}, one.data)),
        h("p", { class: "hint" }, one.state === "waiting" ? `in the buffer; leaves with ${one.leaves_with}` : FATES[one.fate] || one.fate || "sent", one.by ? `; made by step ${one.by}` : "", one.reason ? `; ${one.reason}` : "",
          known >= 0 ? [" ", h("button", { type: "button", class: "link", onclick: () => goTo(known) }, "look at that run")] : null));
    })));
}

function showOutput(run, number) {
  const printed = [];
  for (let place = number; place >= 0 && printed.length < 40; place--) for (const one of [...(run.stops[place].output || [])].reverse()) printed.unshift({ ...one, place });
  if (!printed.length) return show("output");
  return show("output", h("h2", {}, "Printed and logged", h("span", { class: "count" }, "up to here")),
    h("ol", { class: "printed", tabindex: "0" }, printed.map((one) => h("li", { class: one.place === number ? "now" : null }, h("span", { class: "hint" }, `${run.stops[one.place].number} · ${one.stream}`), h("pre", {}, one.text.replace(/\n$/, ""))))));
}

function showAbout(run) {
  const given = run.events.map((event) => foldable(`event ${event.id}`, run.events.length === 1 && event.data.text.length < 600, { class: "more" }, { children: [h("code", {}, event.name)] }, event.id && h("p", { class: "hint" }, `id ${event.id}`), jsonOf(event.data)));
  const unstable = run.unstable.length ? h("p", { class: "note bad" }, `${plural(run.unstable.length, "value")} differ from replay to replay, first at stop ${run.unstable[0].number}.`) : null;
  show("about", h("h2", {}, "About the run"),
    h("dl", { class: "facts" }, fact("run", h("code", {}, run.id)), run.app && fact("app", run.app), fact("started by", run.kind), run.parent && fact("parent", h("code", {}, run.parent)), fact("attempt", run.attempt), run.made_by && fact("recorded by", run.made_by),
      fact("code", { recorded: "as it was when the run was recorded", changed: "not that which made the recording", unknown: "not known whether it is the recorded one" }[run.code]), run.redacted.length ? fact("redacted", run.redacted.join(", ")) : null),
    unstable, run.cut.map((one) => h("p", { class: "note" }, one)), run.picture.hidden ? h("p", { class: "note" }, `${plural(run.picture.hidden, "step")} in further lanes are not drawn.`) : null,
    run.picture.marks.map((one) => h("p", { class: "note" }, one.text)), h("h3", {}, "What it was given"), given, run.output && [h("h3", {}, "What it gave"), jsonOf(run.output)], run.error && [h("h3", {}, "How it failed"), errorOf(run.error, false)]);
}
