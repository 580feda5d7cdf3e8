"""Documents are fetched and indexed, each by a run of its own.

After https://github.com/dbos-inc/dbos-demo-apps/blob/main/python/document-detective/document_detective/main.py
"""

import os
import tempfile
import urllib.request

import inngest_gen as ig

app = ig.App("dbos-documents")
INDEX: list[str] = []


def download(url: str) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "document.txt")
        with open(path, "wb") as file, urllib.request.urlopen(url) as answer:
            file.write(answer.read())
        with open(path) as file:
            return file.read().split("\f")


def index_page(page: str) -> None:
    INDEX.append(page)


@app.function("index-document", concurrency=None)
async def index_document(ctx: ig.Context) -> ig.Flow:
    pages = yield ctx.step.run("download", download, ctx.data["url"])
    for page in pages:
        yield ctx.step.run("index", index_page, page)
    yield ig.Done(len(pages))


@app.function("index-documents", trigger="documents/found")
async def index_documents(ctx: ig.Context) -> ig.Flow:
    urls = ctx.data["urls"]
    handles = [ctx.step.invoke(f"index {url}", index_document, {"url": url}) for url in urls]
    yield ctx.group.parallel(*handles)
    indexed = sum(handle.result for handle in handles)
    ctx.logger.info("%s documents with %s pages", len(urls), indexed)
    yield ig.Done(indexed)
