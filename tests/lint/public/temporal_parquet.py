"""Converts the files of an hour ago, one after the other.

After https://github.com/temporalio/samples-python/blob/main/cloud_export_to_parquet/workflows.py
"""

from datetime import timedelta

import inngest_gen as ig

app = ig.App("temporal-parquet", retries=9, backoff="5s")


def keys_in(bucket: str, path: str) -> list[str]:
    return [f"{bucket}/{path}/a.proto"]


def convert(key: str, to: str) -> str:
    return f"{to}/{key.removesuffix('.proto')}.parquet"


@app.function("to-parquet", trigger="hour/exported")
async def to_parquet(ctx: ig.Context) -> ig.Flow:
    read_time = ctx.started_at - timedelta(hours=ctx.data["delay_hours"])
    path = f"export/{ctx.data['namespace']}/{read_time:%Y/%m/%d/%H}/00"
    keys = yield ctx.step.run("keys", keys_in, ctx.data["bucket"], path).timeout("5m")
    try:
        for key in keys:
            yield ctx.step.run(f"convert {key}", convert, key, ctx.data["output"]).timeout("15m")
    except ig.StepError as error:
        ctx.logger.error("a conversion failed: %s", error)
        raise
    yield ig.Done(path)
