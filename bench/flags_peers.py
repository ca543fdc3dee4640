"""Downloads flags in CPython: flags_peers.py MODE CONNECTIONS BASE_URL CC…"""

import asyncio
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

mode, connections, base, *codes = sys.argv[1:]


def url_of(cc):
    return f"{base}/{cc}/{cc}.gif".lower()


def save(image, cc):
    with open(f"{cc}.gif", "wb") as file:
        file.write(image)


def download_urllib(cc):
    with urllib.request.urlopen(url_of(cc), timeout=6.1) as response:
        save(response.read(), cc)


async def download_streams(cc, limit):
    url = urlsplit(url_of(cc))
    async with limit:
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        request = f"GET {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        head, _, image = (await asyncio.wait_for(reader.read(), 6.1)).partition(b"\r\n\r\n")
        writer.close()
    assert head.startswith(b"HTTP/1.1 200"), head
    save(image, cc)


async def download_httpx(cc, limit, client):
    async with limit:
        response = await client.get(url_of(cc), timeout=6.1)
    response.raise_for_status()
    save(response.content, cc)


async def supervise_streams():
    limit = asyncio.Semaphore(int(connections))
    await asyncio.gather(*(download_streams(cc, limit) for cc in codes))


async def supervise_httpx():
    import httpx

    limit = asyncio.Semaphore(int(connections))
    async with httpx.AsyncClient() as client:
        await asyncio.gather(*(download_httpx(cc, limit, client) for cc in codes))


if mode == "sequential":
    for cc in codes:
        download_urllib(cc)
elif mode == "threads":
    with ThreadPoolExecutor(int(connections)) as executor:
        list(executor.map(download_urllib, codes))
elif mode == "streams":
    asyncio.run(supervise_streams())
elif mode == "httpx":
    asyncio.run(supervise_httpx())
