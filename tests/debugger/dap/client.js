// Drives `inngest-gen debug --dap` with Microsoft's client, @vscode/debugadapter-testsupport: node client.js CONFIG.
// CONFIG is JSON: client (the module's path), adapter (a script that starts it, by `python`) or port, launch, file, lines. What is said is printed:
// docs/debugging-dap.md shows it.

const assert = require('node:assert/strict');
const config = JSON.parse(process.argv[2]);
const { DebugClient } = require(config.client);

const { file, lines } = config;
const say = (...words) => console.log(words.join(''));
const text = (value) => JSON.stringify(value).replaceAll(file, 'shop.py');

async function main() {
  const dc = new DebugClient(config.python, config.adapter, 'inngest-gen', undefined, true);
  dc.defaultTimeout = 60000;
  let written = '';
  dc.on('output', (event) => {
    written += event.body.output;
    say('   output: ', text(event.body.output));
  });
  await dc.start(config.port);
  const heard = { stopped: 0 };
  const stops = [];
  dc.on('stopped', (event) => stops.push(event.body));

  async function stop() {
    while (stops.length <= heard.stopped) await dc.waitForEvent('stopped');
    const body = stops[heard.stopped++];
    say('   stopped (', body.reason, ') at ', body.description.slice(0, 100));
    return body;
  }
  async function go(command, args = { threadId: 1 }) {
    say(command, args.targetId === undefined ? '' : ` ${args.targetId}`);
    await dc.customRequest(command, args);
    return stop();
  }
  const top = async () => (await dc.stackTraceRequest({ threadId: stops.at(-1).threadId })).body.stackFrames[0];
  const inside = async (variablesReference, paging = {}) =>
    (await dc.variablesRequest({ variablesReference, ...paging })).body.variables;
  const row = async (reference, name) => (await inside(reference)).find((one) => one.name === name);
  async function scope(name) {
    const { scopes } = (await dc.scopesRequest({ frameId: (await top()).id })).body;
    return scopes.find((one) => one.name === name).variablesReference;
  }
  async function evaluate(expression, context = 'watch') {
    const { result } = (await dc.evaluateRequest({ expression, context, frameId: (await top()).id })).body;
    say('evaluate ', expression, '\n   ', result.replaceAll(file, 'shop.py').replaceAll('\n', '\n   '));
    return result;
  }
  async function breakpoints(...wanted) {
    const told = await dc.setBreakpointsRequest({ source: { path: file }, breakpoints: wanted });
    return told.body.breakpoints;
  }

  // Launch, with a breakpoint of each kind. The client's own helper waits for `initialized`.
  say('launch');
  await dc.launch(config.launch);
  const told = await breakpoints(
    { line: lines.load },
    { line: lines.price, condition: "item == 'cup'" },
    { line: lines.price, logMessage: 'amount is {amount}' },
    { line: lines.done, hitCondition: '1' },
  );
  assert.deepEqual(told.map((one) => [one.verified, one.line]), [[true, lines.load], [true, lines.price], [true, lines.price], [true, lines.done]]);
  const flows = await dc.setFunctionBreakpointsRequest({ breakpoints: [{ name: 'total', condition: 'len(lines) == 2' }] });
  assert.equal(flows.body.breakpoints[0].verified, true);
  await dc.setExceptionBreakpointsRequest({ filters: ['step-error', 'handler-error', 'divergence'] });
  await dc.configurationDoneRequest();
  assert.equal((await stop()).reason, 'entry');

  // Forwards.
  assert.equal((await go('continue')).hitBreakpointIds[0], told[0].id);
  assert.equal((await top()).line, lines.load);
  assert.match((await go('next')).description, /sub-flow total/);
  await go('stepIn');
  assert.equal((await top()).name, 'total');
  const cup = await go('continue');
  assert.deepEqual([cup.reason, cup.hitBreakpointIds], ['breakpoint', [told[1].id]]);
  assert.equal(await evaluate('(item, amount)'), "('cup', 8)");
  assert.match(written, /amount is 4\n/);
  assert.match((await go('stepOut')).description, /defer 'receipt'/);
  const flow = await go('continue');
  assert.equal(flow.reason, 'function breakpoint');
  const threads = (await dc.threadsRequest()).body.threads;
  say('threads: ', threads.map((one) => one.name).join(', '));
  assert.equal(threads.length, 2);

  // Backwards.
  assert.match((await go('stepBack')).description, /group.parallel/);
  assert.equal((await go('reverseContinue')).hitBreakpointIds[0], told[1].id);
  assert.equal((await go('reverseContinue')).hitBreakpointIds[0], told[0].id);

  // A page of a long list.
  const memo = await scope('Memo');
  const result = await row(memo, 'result');
  const notes = await row(result.variablesReference, 'notes');
  assert.equal(notes.indexedVariables, 1500);
  const page = await inside(notes.variablesReference, { filter: 'indexed', start: 1000, count: 2 });
  assert.deepEqual(page.map((one) => [one.name, one.value]), [['1000', "'note 1000'"], ['1001', "'note 1001'"]]);

  // What if there had been two cups?
  const items = await row(result.variablesReference, 'lines');
  say('setVariable lines[0] = "cup"');
  const set = await dc.setVariableRequest({ variablesReference: items.variablesReference, name: '0', value: '"cup"' });
  assert.equal(set.body.value, "'cup'");
  assert.match((await stop()).text, /what if 1/);
  assert.match(written, /this is history 'what if 1' \(load replaced\)/);
  const other = await go('continue');
  assert.equal(other.hitBreakpointIds[0], told[1].id);
  assert.equal(await evaluate('lines'), "['cup', 'tea', 'cup']");
  await evaluate('/switch recorded', 'repl');
  await stop();
  await evaluate('/histories', 'repl');

  // An error, and a place to go to.
  await breakpoints();
  await dc.setFunctionBreakpointsRequest({ breakpoints: [] });
  assert.equal((await go('continue')).reason, 'exception');
  const info = (await dc.exceptionInfoRequest({ threadId: 1 })).body;
  say('exceptionInfo: ', info.exceptionId, ', ', info.description);
  assert.equal(info.exceptionId, 'StepError');
  const targets = (await dc.gotoTargetsRequest({ source: { path: file }, line: lines.price })).body.targets;
  say('gotoTargets: ', targets.map((one) => one.label).join('; '));
  assert.equal((await go('goto', { threadId: 1, targetId: targets[1].id })).reason, 'goto');
  assert.equal(await evaluate('amount'), '4');

  // Again from the start, to the end, and over.
  say('restart');
  await dc.restartRequest({});
  assert.equal((await stop()).reason, 'entry');
  assert.equal((await go('continue')).reason, 'exception');
  assert.match((await go('continue')).description, /the handler has returned .*, as recorded/);
  await assert.rejects(dc.customRequest('fly'), /there is no request 'fly' here/);
  say('terminate');
  const over = dc.waitForEvent('terminated');
  await dc.terminateRequest();
  await over;
  say('   terminated');
  await dc.stop();
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
