"""IGN6xx: what a step's function changes besides its result."""

import pytest

from tests.lint.text import codes, handler, shown

FUNCTIONS = """
def fill(order): order["taxes"] = 1
def push(pages, page): pages.append(page)
def rename(order): order.name = "a"
def drop(order): del order["a"]
def add(order): order["total"] += 1
def deep(order): order["lines"][0]["price"] = 1
def read(order): return order["taxes"]
def copied(order):
    order = dict(order)
    order["taxes"] = 1
    return order
def keeps(order):
    taxes = {}
    taxes["a"] = 1
    return {**order, **taxes}
class Shop:
    def fill(self, order): order["taxes"] = 1
"""


class TestArgumentChanged:
    @pytest.mark.parametrize(
        "body",
        [
            "order = yield ctx.step.run('a', dict)\nyield ctx.step.run('b', {fn}, order)\nyield ctx.step.run('c', str, order['taxes'])",
            "order = {{}}\nyield ctx.step.run('b', {fn}, order)\nyield ig.Done(order)",
            "order = yield ctx.step.run('a', dict)\nif ctx.data:\n    yield ctx.step.run('b', {fn}, order)\nyield ctx.step.run('c', str, order['taxes'])",
            "order = {{}}\nfor n in range(3):\n    yield ctx.step.run('c', str, order)\n    yield ctx.step.run('b', {fn}, order)",
        ],
    )
    @pytest.mark.parametrize("fn", ["fill", "rename", "drop", "add", "deep"])
    def test_a_change_that_is_relied_on_is_found(self, body: str, fn: str) -> None:
        assert shown(handler(body.format(fn=fn), FUNCTIONS), "IGN601") == ["order"]

    def test_further_arguments_and_keywords_count_as_well(self) -> None:
        assert codes(handler("pages = []\nyield ctx.step.run('a', push, pages, 'p')\nyield ig.Done(len(pages))", FUNCTIONS)) == ["IGN601"]
        assert codes(handler("pages = []\nyield ctx.step.run('a', push, page='p', pages=pages)\nyield ig.Done(pages)", FUNCTIONS)) == [
            "IGN601"
        ]

    @pytest.mark.parametrize(
        "body",
        [
            "order = yield ctx.step.run('a', dict)\norder['taxes'] = 1\norder.update(a=1)\nyield ctx.step.run('c', str, order['taxes'])",
            "order = yield ctx.step.run('a', dict)\nyield ctx.step.run('b', fill, order)\nyield ig.Done(1)",
            "order = {}\norder = yield ctx.step.run('b', fill, order)\nyield ctx.step.run('c', str, order)",
            "order = {}\nyield ctx.step.run('b', fill, order)\norder = yield ctx.step.run('a', dict)\nyield ctx.step.run('c', str, order)",
            "order = {}\nyield ctx.step.run('b', fill, dict(order))\nyield ctx.step.run('c', str, order)",
            "order = {}\ntaxes = yield ctx.step.run('b', read, order)\nyield ctx.step.run('c', str, order)",
            "order = {}\ntaxes = yield ctx.step.run('b', copied, order)\nyield ctx.step.run('c', str, order)",
            "order = {}\ntaxes = yield ctx.step.run('b', keeps, order)\nyield ctx.step.run('c', str, order)",
            "results = yield ctx.group.parallel(ctx.step.run('a', str))\nresults.sort()\nyield ig.Done(results)",
            "for order in ctx.data['orders']:\n    yield ctx.step.run('b', fill, order)",
            "session = yield ctx.using(Session())\nyield ctx.step.run('a', push, session, 'p')\nyield ctx.step.run('b', push, session, 'q')",
            "client = Client()\nyield ctx.step.run('a', rename, client)\nyield ctx.step.run('b', str, client)",
        ],
    )
    def test_what_nobody_relies_on_and_the_handlers_own_changes_are_left_alone(self, body: str) -> None:
        assert codes(handler(body, FUNCTIONS)) == []


class TestLocalChanged:
    @pytest.mark.parametrize(
        ("body", "marked"),
        [
            ("seen = []\nyield ctx.step.run('a', lambda: seen.append(1))\nyield ig.Done(seen)", "seen.append(1)"),
            ("seen = {}\ndef work():\n    seen['a'] = 1\nyield ctx.step.run('a', work)\nyield ig.Done(seen)", "seen['a']"),
            (
                "count = 0\ndef work():\n    nonlocal count\n    count += 1\nyield ctx.step.run('a', work)\nyield ig.Done(count)",
                "nonlocal count",
            ),
            ("def mark():\n    ctx.data['seen'] = True\nyield ctx.step.run('a', mark)\nif ctx.data['seen']:\n    pass", "ctx.data['seen']"),
            ("yield ctx.step.run('a', lambda: ctx.data.update(a=1))\nyield ctx.step.run('b', str, ctx.data)", "ctx.data.update(a=1)"),
            ("seen = []\nyield ctx.step.run('a', seen.append, 1)\nyield ig.Done(seen)", "seen.append"),
            (
                "seen = []\nfor n in range(3):\n    yield ctx.step.run('a', lambda: seen.append(n))\nyield ig.Done(len(seen))",
                "seen.append(n)",
            ),
            (
                "seen = {}\ndef work():\n    seen['a'] = 1\nyield ctx.step.run('a', work)\nyield ctx.step.run('b', lambda: seen['a'])",
                "seen['a']",
            ),
            ("seen = []\nyield ctx.step.run('a', seen.append, 1)\nyield ctx.step.run('b', lambda: len(seen))", "seen.append"),
            (
                "count = 0\ndef work():\n    nonlocal count\n    count += 1\nyield ctx.step.run('a', work)\nyield ctx.step.run('b', lambda: count)",
                "nonlocal count",
            ),
        ],
    )
    def test_a_local_that_a_step_changes_is_found(self, body: str, marked: str) -> None:
        assert shown(handler(body), "IGN602") == [marked]

    @pytest.mark.parametrize(
        "body",
        [
            "seen = []\nseen.append((yield ctx.step.run('a', str)))\nyield ig.Done(seen)",
            "seen = []\nyield ctx.step.run('a', lambda: seen.append(1))",
            "ctx.data['seen'] = True\nyield ctx.step.run('a', str)\nyield ig.Done(ctx.data)",
            "yield ctx.step.run('a', lambda: ctx.data.update(a=1))",
            "yield ctx.step.run('a', lambda: ctx.data.get('a'))\nyield ctx.step.run('b', str, ctx.data)",
            "seen = []\nyield ctx.step.run('a', lambda: len(seen))\nyield ig.Done(seen)",
            "yield ctx.step.run('a', lambda: SEEN.append(1))\nyield ig.Done(len(SEEN))",
            "seen = []\ndef work():\n    seen = []\n    seen.append(1)\n    return seen\nseen = yield ctx.step.run('a', work)\nyield ig.Done(seen)",
            "seen = []\ndef note(n):\n    seen.append(n)\nnote(1)\nyield ctx.step.run('a', str)\nyield ig.Done(seen)",
            "def work(seen):\n    seen.append(1)\n    return seen\nseen = yield ctx.step.run('a', work, [])\nyield ig.Done(seen)",
            "client = yield ctx.using(Client())\nyield ctx.step.run('a', lambda: client.update(1))\nyield ctx.step.run('b', str, client)",
            "client = yield ctx.using(Client())\nyield ctx.step.run('a', client.update, 1)\nyield ctx.step.run('b', client.add, 2)",
            "client = Client()\nyield ctx.step.run('a', client.update, 1)\nyield ctx.step.run('b', client.add, 2)",
            "seen = {}\ndef one():\n    seen['a'] = 1\ndef two():\n    return seen.get('a')\nyield ctx.step.run('a', one)\nyield ctx.step.run('b', two)",
            "seen = {}\ndef one():\n    seen['a'] = 1\ndef two():\n    return 'a' in seen\nyield ctx.step.run('a', one)\nyield ctx.step.run('b', two)",
            "seen = []\ndef work():\n    seen.append(1)\n    return len(seen)\nyield ctx.step.run('a', work)\nyield ctx.step.run('b', work)",
            "seen = []\nyield ctx.step.run('a', lambda: len(seen))\nyield ctx.step.run('b', lambda: seen.append(1))",
            "seen = []\nyield ctx.step.run('a', lambda: seen.append(1))\nseen = yield ctx.step.run('b', list)\nyield ctx.step.run('c', lambda: len(seen))",
            "seen = []\nyield ctx.group.parallel(ctx.step.run('a', lambda: seen.append(1)), ctx.step.run('b', lambda: len(seen)))",
        ],
    )
    def test_what_a_replay_does_again_is_left_alone(self, body: str) -> None:
        assert codes(handler(body, "SEEN = []\nclass Client: ...")) == []


class TestLateBinding:
    @pytest.mark.parametrize(
        ("body", "marked"),
        [
            ("yield ctx.group.parallel(*[ctx.step.run(f'a-{n}', lambda: str(n)) for n in range(3)])", "lambda: str(n)"),
            ("yield ctx.group.parallel(*(ctx.step.run(f'a-{n}', lambda: str(n)) for n in range(3)))", "lambda: str(n)"),
            (
                "steps = []\nfor n in range(3):\n    steps.append(ctx.step.run(f'a-{n}', lambda: str(n)))\nyield ctx.group.parallel(*steps)",
                "lambda: str(n)",
            ),
            (
                "steps = [ctx.step.run(f'a-{n}', lambda: str(n)).timeout('5s') for n in range(3)]\nyield ctx.group.parallel(*steps)",
                "lambda: str(n)",
            ),
            (
                "steps = []\nfor n in range(3):\n    def work():\n        return n\n    steps.append(ctx.step.run(f'a-{n}', work))\nyield ctx.group.parallel(*steps)",
                "work",
            ),
            ("steps = {n: ctx.step.run(f'a-{n}', lambda: str(n)) for n in 'abc'}\nyield ctx.group.parallel(**steps)", "lambda: str(n)"),
        ],
    )
    def test_a_loop_variable_that_is_read_too_late_is_found(self, body: str, marked: str) -> None:
        assert shown(handler(body), "IGN603") == [marked]

    @pytest.mark.parametrize(
        "body",
        [
            "for n in range(3):\n    yield ctx.step.run(f'a-{n}', lambda: str(n))",
            "for n in range(3):\n    step = ctx.step.run(f'a-{n}', lambda: str(n))\n    yield step",
            "yield ctx.group.parallel(*[ctx.step.run(f'a-{n}', str, n) for n in range(3)])",
            "yield ctx.group.parallel(*[ctx.step.run(f'a-{n}', lambda n=n: str(n)) for n in range(3)])",
            "yield ctx.group.parallel(*[ctx.step.run(f'a-{n}', lambda: str(ctx.data)) for n in range(3)])",
            "for n in range(3):\n    yield ctx.group.parallel(ctx.step.run('a', lambda: n), ctx.step.run('b', lambda: n))",
            "for n in range(3):\n    yield ctx.group.parallel(*[ctx.step.run(f'{n}{m}', lambda: n) for m in range(3)])",
            "for n in range(3):\n    steps = []\n    for m in range(3):\n        steps.append(ctx.step.run(f'{n}{m}', str, m))\n    yield ctx.group.parallel(*steps)",
        ],
    )
    def test_one_that_is_read_in_its_turn_is_left_alone(self, body: str) -> None:
        assert codes(handler(body)) == []


class TestRebuiltLocal:
    @pytest.mark.parametrize(
        ("body", "marked"),
        [
            ("key = hash(ctx.data['a'])\nyield ctx.step.run('a', lambda: str(key))", "key"),
            ("key = f'{id(ctx):x}'\ndef work():\n    return key\nyield ctx.step.run('a', work)", "key"),
            ("number = ctx.attempt + 1\nyield ctx.step.run('a', lambda: number)", "number"),
            ("number = ctx.attempt\nasync def work():\n    return number\nyield ctx.step.run('a', work)", "number"),
        ],
    )
    def test_a_local_that_a_replay_makes_otherwise_is_found_where_a_step_reads_it(self, body: str, marked: str) -> None:
        assert shown(handler(body), "IGN604") == [marked]

    @pytest.mark.parametrize(
        "body",
        [
            "key = ctx.data['a']\nyield ctx.step.run('a', lambda: str(key))",
            "key = hash(ctx.data['a'])\nyield ctx.step.run('a', lambda: str(ctx.data))",
            "yield ctx.step.run('a', lambda: hash(ctx.data['a']))",
            "yield ctx.step.run('a', lambda: ctx.attempt)",
            "key = yield ctx.step.run('key', lambda: hash(ctx.data['a']))\nyield ctx.step.run('a', lambda: key)",
            "key = hash(ctx.data['a'])\ndef work():\n    key = 1\n    return key\nyield ctx.step.run('a', work)",
            "key = hash(ctx.data['a'])\ndef work(key):\n    return key\nyield ctx.step.run('a', work, 1)",
            "hash = str\nkey = hash(ctx.data['a'])\nyield ctx.step.run('a', lambda: key)",
            "key = hash(1)\nkey = ctx.data['a']\nyield ctx.step.run('a', lambda: key)",
        ],
    )
    def test_what_is_the_same_in_every_replay_is_left_alone(self, body: str) -> None:
        assert codes(handler(body)) == []
