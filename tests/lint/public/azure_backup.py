"""Every file of a folder is copied, all at once; the bytes are added up.

After https://github.com/Azure/azure-functions-durable-python/blob/dev/samples/fan_in_fan_out/E2_BackupSiteContent/__init__.py
"""

import os
from pathlib import Path

import inngest_gen as ig

app = ig.App("azure-backup")
TARGET = os.environ.get("BACKUP_TARGET", "/tmp/backups")  # read once, when the module is loaded


def list_files(root: str) -> list[str]:
    return [str(path) for path in Path(root).rglob("*.py")]


def copy(file: str) -> int:
    data = Path(file).read_bytes()
    Path(TARGET, Path(file).name).write_bytes(data)
    return len(data)


@app.function("back-up", trigger="backup/wanted")
async def back_up(ctx: ig.Context) -> ig.Flow:
    root = ctx.data.get("root")
    if not root:
        raise ig.NonRetriableError("a folder is needed")
    files = yield ctx.step.run("list", list_files, root)
    tasks = []
    for file in files:
        tasks.append(ctx.step.run(f"copy {file}", copy, file))
    results: tuple[int, ...] = yield ctx.group.parallel(*tasks)
    total = sum(results)
    yield ig.Done(total)
