// Values: shows what is in a local, opened as far as the page has it, and tells what two values differ in.

// What the reader has opened or shut, by place: it stays so from stop to stop.
const choices = new Map();

function foldable(place, open, given, summary, ...inside) {
  const head = h("summary", summary.given, summary.children);
  const details = h("details", { ...given, open: choices.get(place) ?? open }, head, inside);
  head.addEventListener("click", () => choices.set(place, !details.open));
  return details;
}

function valueRow(variable, place, change, old) {
  const name = h("span", { class: "name" }, variable.name);
  const type = h("span", { class: "type" }, variable.type, variable.size > 8 ? ` · ${variable.size.toLocaleString("en")}` : "");
  const was = change && change.before !== null && change.before !== undefined && h("div", { class: "was" }, wasOf(variable, change, old));
  const mark = change && h("span", { class: "unseen" }, " (changed)");
  if (!variable.size) return h("li", { class: change ? "value changed" : "value" }, h("div", { class: "line" }, name, h("code", {}, variable.text), type, mark), was);
  const details = foldable(place, false, {}, { given: { class: "line" }, children: [name, h("code", {}, variable.text), type, mark] });
  const open = () => {
    if (!details.open || details.querySelector("ul")) return;
    details.append(
      h("ul", { class: "values" }, (variable.inside || []).map((one) => valueRow(one, `${place}/${one.name}`)), missing(variable)),
    );
  };
  details.addEventListener("toggle", open);
  open();
  return h("li", { class: change ? "value changed" : "value" }, details, was);
}

// What a local was: its text or, where that is long, what in it is not the same.
function wasOf(variable, change, old) {
  const text = ["was ", h("code", {}, change.before)];
  if (!old || change.before.length <= 60) return text;
  const rows = differences(old, variable);
  if (rows.length > 3 || (rows.length === 1 && rows[0][0] === variable.name)) return change.before === variable.text ? "has changed in what is not shown here" : text;
  return rows.map(([path, before, after], place) => [place ? "; " : "", h("code", {}, path), before === null ? " is new" : after === null ? [" is gone, was ", h("code", {}, before)] : [" was ", h("code", {}, before)]]);
}

function missing(variable) {
  const left = variable.size - (variable.inside || []).length;
  return left > 0 && h("li", { class: "missing" }, `… ${left.toLocaleString("en")} more, not in this page`);
}

// The places at which two values differ, as deep as they are alike: [[path, before, after], ...].
const MOST = 12;

function differences(before, after) {
  const found = [];
  if (!inner(before, after, before.name, found) || found.length > MOST || !found.length) return [[before.name, before.text, after.text]];
  return found;
}

function inner(before, after, path, found) {
  if (before === after || found.length > MOST) return true;
  const a = before.inside, b = after.inside;
  if (!a || !b || before.type !== after.type) {
    found.push([path, before.text, after.text]);
    return true;
  }
  // Of a container that is not here whole, there is its size, and what is here.
  const isWhole = a.length === before.size && b.length === after.size;
  if (!isWhole && before.size !== after.size) found.push([`len(${path})`, String(before.size), String(after.size)]);
  const then = new Map(a.map((one) => [one.name, one]));
  const isList = /^\d+$/.test((a[0] || b[0] || { name: "" }).name);
  const at = (name) => (isList ? `${path}[${name}]` : /^'/.test(name) ? `${path}[${name}]` : `${path}.${name}`);
  for (const one of b) {
    const old = then.get(one.name);
    then.delete(one.name);
    if (!old) isWhole && found.push([at(one.name), null, one.text]);
    else if (!inner(old, one, at(one.name), found)) return false;
  }
  for (const one of then.values()) isWhole && found.push([at(one.name), one.text, null]);
  return true;
}

function differenceRow([path, before, after]) {
  const text = (value) => (value === null || value === undefined ? h("em", {}, "nothing") : h("code", {}, value));
  return h("tr", {}, h("th", { scope: "row" }, path), h("td", { class: "before" }, text(before)), h("td", { class: "after" }, text(after)));
}

const differenceTable = (rows, from, to) =>
  h("table", { class: "differences" }, h("colgroup", {}, ["what", "before", "after"].map((one) => h("col", { class: one }))), h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "what"), h("th", { scope: "col" }, from), h("th", { scope: "col" }, to))), h("tbody", {}, rows.map(differenceRow)));

const isContext = (one) => /^(Defer|Failure)?Context$/.test(one.type);

// The locals of two stops, frame by frame.
function localsBetween(first, second) {
  const found = [];
  const then = new Map((first.frames || []).map((frame) => [frame.id, frame]));
  for (const frame of second.frames || []) {
    // The frames of an error have numbers of their own.
    const old = then.get(frame.id) || [...then.values()].find((one) => one.id < 0 !== frame.id < 0 && one.function === frame.function);
    if (old) then.delete(old.id);
    const rows = [];
    const before = new Map(((old && old.locals) || []).map((one) => [one.name, one]));
    for (const one of frame.locals) {
      if (isContext(one)) continue; // it is the same throughout
      const was = before.get(one.name);
      before.delete(one.name);
      if (!was) rows.push([one.name, null, one.text]);
      else if (was !== one) rows.push(...differences(was, one));
    }
    for (const one of before.values()) if (!isContext(one)) rows.push([one.name, one.text, null]);
    if (rows.length || !old) found.push({ frame, rows, came: !old });
  }
  for (const frame of then.values()) found.push({ frame, rows: frame.locals.filter((one) => !isContext(one)).map((one) => [one.name, one.text, null]), went: true });
  return found;
}
