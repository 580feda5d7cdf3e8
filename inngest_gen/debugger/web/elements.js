// Elements: makes them. Whatever was recorded becomes text, never markup.

// What cannot be seen, or turns text around, is written out.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const visible = (text) => String(text).replace(UNSEEN, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);

const SVG = "http://www.w3.org/2000/svg";

function fill(element, given, children) {
  for (const [name, value] of Object.entries(given || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : visible(value));
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : visible(child));
  }
}

const h = (name, given, ...children) => fill(document.createElement(name), given, children);
const svg = (name, given, ...children) => fill(document.createElementNS(SVG, name), given, children);

function show(id, ...children) {
  const element = document.getElementById(id);
  element.replaceChildren();
  add(element, children);
  element.hidden = !element.hasChildNodes();
  return element;
}

// Scrolls a box, and nothing around it, such that what is from `first` to `last` can be seen in that part of it that is on the screen.
function keepInView(first, last, box) {
  const seen = box.getBoundingClientRect();
  const low = Math.max(seen.top, Math.min(seen.bottom, window.innerHeight) - 40);
  const shown = low - seen.top < 120 ? seen.height : low - seen.top;
  const top = first.getBoundingClientRect().top - seen.top, bottom = last.getBoundingClientRect().bottom - seen.top;
  if (top < 20 || bottom > shown * 0.8) box.scrollTop += top - shown * 0.3;
}

const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
const nameOf = (file) => file.split(/[\\/]/).pop();
const shortName = (name) => name.split("<locals>.").pop();
const placeOf = (at) => (at ? `${nameOf(at.file)}:${at.line}` : "");
const placeText = (at) => nameOf(at);

function duration(ms) {
  if (ms < 1) return `${Math.round(ms * 100) / 100} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  const two = (large, big, rest, small) => (rest ? `${large} ${big} ${rest} ${small}` : `${large} ${big}`);
  if (s < 3600) return two(Math.floor(s / 60), "min", Math.floor(s % 60), "s");
  if (s < 86400) return two(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "min");
  return two(Math.floor(s / 86400), "d", Math.floor((s % 86400) / 3600), "h");
}

// What an intent is: a colour's name, and a word.
const KINDS = {
  "step.run": ["run", "run"], "step.send_event": ["run", "send"], "step.send_signal": ["run", "signal"], "step.fetch": ["run", "fetch"],
  "step.sleep": ["wait", "sleep"], "step.sleep_until": ["wait", "sleep"], "step.wait_for_event": ["wait", "wait"],
  "step.wait_for_signal": ["wait", "wait"], "step.invoke": ["wait", "invoke"], "group.parallel": ["group", "parallel"],
  "group.race": ["group", "race"], "sub-flow": ["flow", "flow"], defer: ["defer", "defer"], "defer abort": ["defer", "abort"],
  "ctx.using": ["plain", "using"], "ig.Done": ["done", "done"], mistake: ["bad", "mistake"],
};
const kindOf = (kind) => KINDS[kind] || (kind.startsWith("step.") ? ["run", kind.slice(5)] : ["plain", kind]);

const WHERE = { start: ["plain", "start"], frontier: ["wait", "frontier"], ended: ["done", "end"], diverged: ["bad", "diverged"] };

function chipOf(stop) {
  if (stop.end && stop.end.how === "raised") return ["bad", "raised"];
  if (stop.intent) return kindOf(stop.intent.kind);
  return WHERE[stop.state] || ["plain", stop.state];
}

const chip = ([colour, word]) => h("span", { class: `chip ${colour}` }, word);

// What a step was asked to do, without what is said of it elsewhere: of "step.run 'price' price_of('tea')" that is "('tea')".
function detailOf({ intent }) {
  if (!intent || !intent.id) return "";
  const rest = intent.text.replace(/^(?:sub-flow|defer abort|\S+) ?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")? ?/, "");
  return rest.replace(/^[\w.<>]+(?=\()/, "");
}

// A stop in a few words.
function labelOf(stop) {
  const intent = stop.intent;
  if (intent && intent.kind.startsWith("group.")) return `${(/of (\d+)/.exec(intent.text) || ["", "?"])[1]} branches`;
  if (intent) return intent.id || intent.text.replace(/^(group\.\w+|sub-flow|ig\.Done|ctx\.using) ?/, "") || intent.kind;
  if (stop.end) return stop.end.how === "returned" ? `returned ${stop.end.value || ""}` : `${stop.end.error.name}: ${stop.end.error.message || ""}`;
  if (stop.state === "start") return "not begun";
  if (stop.state === "diverged") return "the replay leaves the record";
  if (stop.state === "frontier") return "the record ends here";
  return "";
}
