"""IGN3xx: ids that differ from replay to replay, and defers that share one."""

import pytest

from tests.lint.text import HEAD, codes, handler, shown

IMPORTS = "import datetime, os, random, time, uuid\n"
NOTE = """
@app.deferred("note")
async def note(ctx: ig.DeferContext) -> ig.Flow:
    yield ctx.step.run("note", str)
"""


@pytest.mark.parametrize(
    ("body", "marked"),
    [
        ("yield ctx.step.run(f'a-{id(ctx)}', str)", "id(ctx)"),
        ("yield ctx.step.run(f'a-{hash(ctx.data)}', str)", "hash(ctx.data)"),
        ("yield ctx.step.run(f'a-{time.time()}', str)", "time.time()"),
        ("yield ctx.step.run('a-' + str(datetime.date.today()), str)", "datetime.date.today()"),
        ("yield ctx.step.run(str(uuid.uuid4()), str)", "uuid.uuid4()"),
        ("yield ctx.step.run('a-%s' % random.random(), str)", "random.random()"),
        ("yield ctx.step.run('a-{}'.format(os.getpid()), str)", "os.getpid()"),
        ("yield ctx.step.run(f'a-{ctx.attempt}', str)", "ctx.attempt"),
        ("yield ctx.step.run(ig.Id(f'a-{hash(ctx.data)}', name='a'), str)", "hash(ctx.data)"),
        ("yield ctx.step.sleep(f'a-{id(ctx)}', 1)", "id(ctx)"),
        ("yield ctx.step.run(f'a-{id(ctx)}', str).timeout('5s')", "id(ctx)"),
        ("yield ctx.defer(f'a-{id(ctx)}', note, {})", "id(ctx)"),
        ("yield ig.defer(f'a-{id(ctx)}', note, {})", "id(ctx)"),
        ("key = hash(ctx.data['url'])\nyield ctx.step.run(f'a-{key}', str)", "key"),
        ("key = f'{ctx.attempt}'\nname = f'a-{key}'\nyield ctx.step.run(name, str)", "name"),
        ("yield ctx.group.parallel(*[ctx.step.run(f'a-{hash(one)}', str) for one in ctx.data['all']])", "hash(one)"),
    ],
)
def test_an_unstable_id_is_found_once(body: str, marked: str) -> None:
    source = handler(body, IMPORTS + NOTE)
    assert shown(source, "IGN301") == [marked]
    assert codes(source) == ["IGN301"]


@pytest.mark.parametrize(
    "body",
    [
        "yield ctx.step.run('a', str)",
        "for n in range(3):\n    yield ctx.step.run('a', str, n)",
        "for n, page in enumerate(ctx.data['pages']):\n    yield ctx.step.run(f'a-{n}-{page}', str)",
        "yield ctx.step.run(f'a-{ctx.run_id}-{ctx.uuid()}-{ctx.random.random()}', str)",
        "yield ctx.step.run(f'a-{ctx.started_at:%Y-%m-%d}', str)",
        "yield ctx.step.run('a', hash, ctx.data)",
        "yield ctx.step.run('a', str, id(ctx))",
        "order = yield ctx.step.run('load', str)\nyield ctx.step.run(f'a-{order.id}', str)",
        "key = yield ctx.step.run('key', uuid.uuid4)\nyield ctx.step.run(f'a-{key}', str)",
        "hash = ctx.data['hash']\nyield ctx.step.run(f'a-{hash(1)}', str)",
        "id = ctx.data['id']\nyield ctx.step.run(f'a-{id}', str)",
        "yield ctx.step.run('a', lambda: hash('a'))",
        "yield ctx.step.invoke('a', 'other', {'id': id(ctx)})",
    ],
)
def test_a_stable_one_is_left_alone(body: str) -> None:
    assert codes(handler(body, IMPORTS + NOTE)) == []


@pytest.mark.parametrize(
    "body",
    [
        "for guest in ctx.data['guests']:\n    yield ctx.defer('a', note, {'to': guest})",
        "for guest in ctx.data['guests']:\n    ctx.defer('a', note, {'to': guest}).submit()\nyield ctx.step.sleep('b', 1)",
        "for guest in ctx.data['guests']:\n    if guest:\n        yield ctx.defer('a', note, {'to': guest})",
        "while (yield ctx.step.run('more', str)):\n    yield ctx.defer('a', note, {})",
        "name = 'a'\nfor guest in ctx.data['guests']:\n    yield ctx.defer(f'mail {name}', note, {'to': guest})",
        "for guest in ctx.data['guests']:\n    yield ctx.defer(ig.Id('a', name='A').id, note, {}) if False else ctx.defer('a', note, {})",
        "[ctx.defer('a', note, {'to': guest}).submit() for guest in ctx.data['guests']]\nyield ctx.step.sleep('b', 1)",
        "for guest in ctx.data['guests']:\n    try:\n        yield ctx.step.run(guest, str)\n    except ig.StepError:\n        yield ctx.defer('a', note, {})",
    ],
)
def test_a_defer_with_one_id_in_a_loop_is_found(body: str) -> None:
    assert codes(handler(body, NOTE)) == ["IGN302"]


def test_one_in_a_loop_of_a_step_body_is_found() -> None:
    before = f"{NOTE}\ndef work() -> None:\n    for n in range(3):\n        ig.defer('a', note, {{'n': n}}).submit()\n"
    assert codes(handler("yield ctx.step.run('a', work)", before)) == ["IGN302"]


@pytest.mark.parametrize(
    "body",
    [
        "for guest in ctx.data['guests']:\n    yield ctx.defer(f'a-{guest}', note, {'to': guest})",
        "for n in range(3):\n    id = 'a' + str(n)\n    yield ctx.defer(id, note, {})",
        "for n in range(3):\n    yield ctx.defer(name_of(n), note, {})",
        "for guest in ctx.data['guests']:\n    yield ctx.step.run('a', str, guest)",
        "for guest in ctx.data['guests']:\n    if guest:\n        yield ctx.defer('a', note, {})\n        break",
        "for guest in ctx.data['guests']:\n    if guest:\n        yield ctx.defer('a', note, {})\n        yield ig.Done(guest)\nyield ig.Done(None)",
        "while True:\n    yield ctx.step.sleep('b', 1)\n    if ctx.data:\n        yield ctx.defer('a', note, {})\n        return",
        "for guest in ctx.data['guests']:\n    yield ctx.step.run(guest, str)\nelse:\n    yield ctx.defer('a', note, {})",
        "yield ctx.defer('a', note, {'to': [guest for guest in ctx.data['guests']]})",
        "yield ctx.defer('a', note, {})\nfor guest in ctx.data['guests']:\n    yield ctx.step.run(guest, str)",
    ],
)
def test_a_defer_that_is_made_once_or_has_ids_is_left_alone(body: str) -> None:
    assert codes(handler(body, NOTE)) == []


def test_each_defer_of_another_function_in_the_loop_counts_for_itself() -> None:
    source = f"{HEAD}{NOTE}\n\ndef once(n: int) -> ig.Intent:\n    return ig.defer('a', note, {{}})\n"
    assert codes(source) == []
