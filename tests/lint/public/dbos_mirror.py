"""Copies what is in one bucket and not in another.

After https://github.com/dbos-inc/dbos-demo-apps/blob/main/python/s3mirror/app/main.py
"""

from typing import Any

import inngest_gen as ig

app = ig.App("dbos-mirror")
s3: Any = None


def list_bucket(bucket: str) -> dict[str, int]:
    return {item["Key"]: item["Size"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]}


def copy(source: str, target: str, key: str) -> str:
    s3.copy({"Bucket": source, "Key": key}, target, key)
    return key


@app.function("transfer", trigger="transfer/wanted", retries=8)
async def transfer(ctx: ig.Context) -> ig.Flow:
    source, target = ctx.data["source"], ctx.data["target"]
    there, here = yield ctx.group.parallel(ctx.step.run("there", list_bucket, source), ctx.step.run("here", list_bucket, target))
    wanted = set(ctx.data.get("keys") or there)
    missing = wanted - set(there)
    if missing:
        raise ig.NonRetriableError(f"not in {source}: {', '.join(sorted(missing))}")
    for key in here:
        if key in wanted:
            ctx.logger.info("%s is there already", key)
    keys = [key for key in there if key in wanted and key not in here]
    copied: tuple[str | Exception, ...] = yield ctx.group.parallel(
        *(ctx.step.run(f"copy {key}", copy, source, target, key) for key in keys), return_exceptions=True
    )
    yield ig.Done({"copied": sum(isinstance(one, str) for one in copied), "bytes": sum(there[key] for key in keys)})
