"""Declaring middleware: what is accepted, what is refused, and what the refusal says."""

from typing import Any

import pytest

import inngest_gen as ig


class Plain(ig.Middleware):
    pass


class Needs(ig.Middleware):
    def __init__(self, rate: float) -> None:
        self.rate = rate


def test_a_class_a_function_and_a_callable_object_make_instances() -> None:
    class Factory:
        def __call__(self) -> ig.Middleware:
            return Plain()

    app = ig.App("shop", middleware=[Plain, lambda: Needs(0.5), Factory()])
    chain = app.middleware.chain()
    assert chain is not None


def test_no_middleware_makes_no_chain() -> None:
    app = ig.App("shop")

    @app.function("f")
    async def f(ctx: ig.Context) -> None:
        pass

    assert f.chain() is None


def test_an_instance_is_refused_with_what_to_write_instead() -> None:
    with pytest.raises(
        ig.ConfigError, match=r"middleware of app 'shop' is the class itself, .* lambda: Needs\(\.\.\.\); a request gets an instance"
    ):
        ig.App("shop", middleware=[Needs(0.5)])  # type: ignore[list-item]


def test_what_makes_something_else_is_refused() -> None:
    with pytest.raises(ig.ConfigError, match="middleware of app 'shop' gives an ig.Middleware when it is called, not dict"):
        ig.App("shop", middleware=[dict])  # type: ignore[list-item]


@pytest.mark.parametrize("given", [Plain, "Plain", None])
def test_what_is_no_list_is_refused(given: Any) -> None:
    with pytest.raises(ig.ConfigError, match="the middleware of app 'shop' is a list of classes"):
        ig.App("shop", middleware=given)


def test_a_function_s_own_is_checked_where_the_function_is_declared() -> None:
    app = ig.App("shop")
    with pytest.raises(ig.ConfigError, match="middleware of function 'f'"):

        @app.function("f", middleware=[Plain()])  # type: ignore[list-item]
        async def f(ctx: ig.Context) -> None:
            pass

    assert not app.functions


def test_a_misspelt_hook_is_an_error_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match=r"Typo\.on_step_started is no hook of Middleware: did you mean on_step_start\?"):

        class Typo(ig.Middleware):
            def on_step_started(self, step: ig.StepInfo) -> None:
                pass

    with pytest.raises(TypeError, match=r"Other\.wrap_everything is no hook of Middleware"):

        class Other(ig.Middleware):
            async def wrap_everything(self) -> None:
                pass


def test_a_hook_that_could_not_be_called_is_an_error_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match=r"NoMethod\.on_step_start is a method, not 5"):

        class NoMethod(ig.Middleware):
            on_step_start = 5  # type: ignore[assignment]

    with pytest.raises(TypeError, match=r"Waits\.on_register is sync"):

        class Waits(ig.Middleware):
            async def on_register(self, registration: Any) -> None:  # type: ignore[override]
                pass


def test_a_hook_of_inngest_py_is_told_apart_with_what_it_is_called_here() -> None:
    with pytest.raises(
        TypeError, match=r"Moved\.before_execution is a hook of inngest-py and would not be called; here it is on_memoization_end"
    ):

        class Moved(ig.Middleware):
            def before_execution(self) -> None:
                pass


def test_a_class_without_a_module_is_as_good_as_others() -> None:
    made: dict[str, Any] = {"ig": ig}
    exec("class Here(ig.Middleware):\n    def transform_step_input(self, step): return step", made)  # as a notebook's cell that has no name
    app = ig.App("shop", middleware=[made["Here"]])
    assert list(app.middleware.steering()) == [made["Here"].transform_step_input]


def test_other_methods_and_private_ones_are_the_class_s_own_affair() -> None:
    class Fine(ig.Middleware):
        def helper(self) -> None:
            pass

        def _on_something(self) -> None:
            pass

        def transform_step_input(self, step: ig.StepInfo) -> ig.StepInfo:
            return step

    assert Fine()


def test_on_register_is_told_where_and_its_error_fails_the_declaration() -> None:
    told: list[ig.Registration] = []

    class Tells(ig.Middleware):
        def on_register(self, registration: ig.Registration) -> None:
            told.append(registration)
            if registration.function_id == "bad":
                raise ValueError("not here")

    app = ig.App("shop", middleware=[Tells])

    @app.function("f", middleware=[Tells])
    async def f(ctx: ig.Context) -> None:
        pass

    @app.deferred("d", on_failure=f, middleware=[Tells])
    async def d(ctx: ig.DeferContext) -> None:
        pass

    with pytest.raises(ValueError, match="not here"):
        app.function("bad", middleware=[Tells])(f.handler)
    assert told == [
        ig.Registration(app_id="shop"),
        ig.Registration(app_id="shop", function_id="f"),
        ig.Registration(app_id="shop", function_id="d"),
        ig.Registration(app_id="shop", function_id="bad"),
    ]


def test_hooks_do_nothing_where_a_subclass_asks_its_base() -> None:
    """`super()` works in every hook."""

    class Asks(ig.Middleware):
        def on_register(self, registration: ig.Registration) -> None:
            super().on_register(registration)

        def on_run_start(self, run: ig.RunInfo) -> Any:
            return super().on_run_start(run)

    assert ig.App("shop", middleware=[Asks])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: ig.LoggingMiddleware(level="INFO"), "level of LoggingMiddleware is a number such as logging.INFO, not 'INFO'"),  # type: ignore[arg-type]
        (lambda: ig.LoggingMiddleware("shop"), r"logger of LoggingMiddleware is a logging\.Logger"),  # type: ignore[arg-type]
        (lambda: ig.RecordingMiddleware("here", redact="**.card"), r"redact is a list of paths: redact=\['\*\*\.card'\]"),
    ],
)
def test_options_of_the_built_in_ones_are_checked_where_they_are_written(make: Any, sentence: str) -> None:
    with pytest.raises(ig.InngestGenError, match=sentence):
        make()
