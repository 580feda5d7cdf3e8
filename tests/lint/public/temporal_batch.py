"""A range of records, cut into partitions that functions of their own work on.

After https://github.com/temporalio/samples-python/blob/main/batch_sliding_window/batch_workflow.py
"""

import inngest_gen as ig

app = ig.App("temporal-batch")


def count_records() -> int:
    return 90


def divide(number: int, parts: int) -> list[int]:
    base, rest = divmod(number, parts)
    return [base + (part < rest) for part in range(parts)]


@app.function("partition")
async def partition(ctx: ig.Context) -> ig.Flow:
    done = 0
    for record in range(ctx.data["offset"], ctx.data["end"]):
        yield ctx.step.run("record", str, record)
        done += 1
    yield ig.Done(done)


@app.function("batch", trigger="batch/wanted")
async def batch(ctx: ig.Context) -> ig.Flow:
    if ctx.data["window"] < ctx.data["partitions"]:
        raise ig.NonRetriableError("the window cannot be smaller than the number of partitions")
    count = yield ctx.step.run("count", count_records)
    tasks = []
    offset = 0
    for number, size in enumerate(divide(count, ctx.data["partitions"])):
        tasks.append(ctx.step.invoke(f"partition-{number}", partition, {"offset": offset, "end": offset + size}))
        offset += size
    results: tuple[int, ...] = yield ctx.group.parallel(*tasks)
    yield ig.Done(sum(results))
