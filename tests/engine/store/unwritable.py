"""A program that opens an engine's file as somebody who may not write there: `python unwritable.py DATABASE`. Prints the error it gets."""

import os
import sys

import anyio
import anyio._backends._asyncio

import inngest_gen as ig

ig.Engine("import it now", apps=[])  # nobody else may read the interpreter's files


async def main() -> None:
    try:
        async with ig.Engine(sys.argv[1], apps=[]):
            sys.stdout.write("opened\n")
    except ig.StoreError as error:
        sys.stdout.write(f"{error}\n")


if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)
anyio.run(main)
