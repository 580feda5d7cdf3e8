"""What a type checker refuses of middleware. Each line that is wrong says so."""

import inngest_gen as ig


class Wrong(ig.Middleware):
    def transform_step_input(self, step: ig.StepInfo) -> str:  # error
        return step.id

    def on_run_start(self, run: ig.StepInfo) -> None:  # error
        pass


def look(step: ig.StepInfo, run: ig.RunInfo) -> None:
    step.id = "other"  # error
    step.defer  # error
    run.step  # error


ig.App("shop", middleware=[Wrong()])  # error
