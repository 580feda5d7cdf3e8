// Scale: the moments of the runs, and where they are from left to right.

const PAD = 14;

const runs = recorded.runs;
const isTimed = runs.some((run) => run.picture.timed);

// When the run was at each stop: when the step there began, else when the last result before came.
function timesOf(run, picture, isReal) {
  const begins = new Map(), ends = new Map();
  for (const lane of picture.lanes) {
    for (const bar of lane.bars) {
      begins.set(bar.hash, bar.parts[0][1]);
      ends.set(bar.hash, bar.parts[bar.parts.length - 1][2]);
    }
  }
  let last = picture.begun ?? picture.created ?? 0;
  return run.stops.map((stop, place) => {
    if (place === 0) return picture.created ?? last;
    for (const one of stop.settled || []) if (one.how !== "lost") last = Math.max(last, ends.get(one.hash) ?? last);
    if (isReal) last = Math.max(last, stop.moment ?? last);
    const begin = stop.intent && stop.intent.hash ? begins.get(stop.intent.hash) : undefined;
    if (stop.state === "ended" && picture.ended !== null) return Math.max(last, picture.ended);
    return begin === undefined ? last : Math.max(begin, last);
  });
}

// The pictures with one moment after another in place of times: for runs in which most steps took none, as on a virtual clock.
function inOrder() {
  const edges = []; // [when, which run, which of what comes at one time, where to write]
  const copies = runs.map((run, which) => {
    const places = new Map();
    run.stops.forEach((stop, place) => stop.intent && stop.intent.hash && !places.has(stop.intent.hash) && places.set(stop.intent.hash, place));
    const copy = { ...run.picture };
    const take = (at, order, write) => at !== null && at !== undefined && edges.push([at, which, order, write]);
    take(copy.created, -2, (at) => (copy.created = at));
    take(copy.begun, -1, (at) => (copy.begun = at));
    take(copy.ended, Infinity, (at) => (copy.ended = at));
    let count = 0;
    copy.lanes = copy.lanes.map((lane) => ({
      ...lane,
      bars: lane.bars.map((bar) => {
        const order = places.get(bar.hash) ?? count++;
        const parts = bar.parts.map((part) => [...part]);
        parts.forEach((part, n) => {
          const before = n ? bar.parts[n - 1][2] : null;
          if (before !== null && before === part[1]) edges[edges.length - 1][3] = (at) => (parts[n - 1][2] = part[1] = at);
          else take(part[1], order + n / 1000, (at) => (part[1] = at));
          take(part[2], order + (n + 0.5) / 1000, (at) => (part[2] = at));
        });
        return { ...bar, parts };
      }),
    }));
    copy.defers = copy.defers.map((one) => ({ ...one }));
    for (const one of copy.defers) take(one.at, places.get(one.hash) ?? Infinity, (at) => (one.at = at));
    copy.marks = copy.marks.map((one) => ({ ...one }));
    for (const one of copy.marks) take(one.at, Infinity, (at) => (one.at = at));
    return copy;
  });
  edges.sort((a, b) => a[0] - b[0] || a[1] - b[1] || (a[2] === b[2] ? 0 : a[2] - b[2]));
  edges.forEach(([, , , write], place) => write(place));
  return copies;
}

function everyMoment(pictures) {
  const found = new Set([0]);
  const take = (at) => at !== null && at !== undefined && found.add(at);
  for (const picture of pictures) {
    [picture.created, picture.begun, picture.ended].forEach(take);
    for (const lane of picture.lanes) for (const bar of lane.bars) for (const [, from, to] of bar.parts) take(from), take(to);
    for (const one of picture.defers) take(one.at);
    for (const one of picture.marks) take(one.at);
  }
  return [...found].sort((a, b) => a - b);
}

// A scale: "even" draws long spans shorter, so that milliseconds can be seen beside hours; the others draw spans as they are.
function scaleOf(kind, width, pictures) {
  const moments = everyMoment(pictures);
  const open = pictures.some((picture) => picture.ended === null);
  const spans = moments.slice(1).map((at, place) => at - moments[place]);
  const small = spans.filter((span) => span > 0).sort((a, b) => a - b);
  const unit = small[Math.floor(small.length / 10)] || 1;
  const weights = spans.map((span) => (kind === "even" ? Math.log2(1 + span / unit) : span));
  const total = weights.reduce((sum, one) => sum + one, 0) || 1;
  const room = width - 2 * PAD - (open ? 48 : 0);
  const xs = [PAD];
  for (const weight of weights) xs.push(xs[xs.length - 1] + (weight / total) * room);
  const between = (value, from, to) => {
    let low = 0, high = from.length - 1;
    if (value <= from[0]) return to[0];
    if (value >= from[high]) return to[high];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (from[middle] <= value) low = middle;
      else high = middle;
    }
    const span = from[high] - from[low];
    return span ? to[low] + ((value - from[low]) / span) * (to[high] - to[low]) : to[low];
  };
  return { kind, moments, xs, width, end: width - 4, x: (at) => between(at, moments, xs), at: (x) => between(x, xs, moments) };
}

function ticksOf(scale) {
  if (!isTimed || scale.kind === "order") return [];
  const last = scale.moments[scale.moments.length - 1];
  if (scale.kind === "even") {
    const found = [];
    let free = -Infinity;
    scale.moments.forEach((at, place) => {
      if (scale.xs[place] < free || scale.xs[place] > scale.width - 50) return;
      found.push(at);
      free = scale.xs[place] + 78;
    });
    return found;
  }
  const wanted = Math.max(1, last / Math.max(2, scale.width / 100));
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4, 12e4, 3e5, 6e5, 18e5, 36e5, 72e5, 216e5, 432e5, 864e5, 1728e5, 6048e5];
  const step = steps.find((one) => one >= wanted) || Math.ceil(wanted / 6048e5) * 6048e5;
  return Array.from({ length: Math.floor(last / step) + 1 }, (_, place) => place * step);
}
